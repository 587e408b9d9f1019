"""`tidemark compact`, `reconcile`, `recompute`, `topic adopt`: lake jobs, each a process with its own exit code."""

import os
from datetime import datetime
from typing import Annotated

import typer

from tidemark import commands

topic = typer.Typer(no_args_is_help=True, help="Topics: what to do when one was recreated.")

Contract = Annotated[str, typer.Argument(help="The contract's id.")]
Day = Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="The day of ingest, UTC.")]
KafkaDay = Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="The day of Kafka's timestamps, UTC.")]
Bytes = Annotated[int | None, typer.Option("--max-bytes", min=1, help="Bytes of small files to join; 2 GiB if unset.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(compact)
    app.command()(reconcile)
    app.command()(recompute)
    app.add_typer(topic, name="topic")


def compact(contract: Contract, date: Day = None, max_bytes: Bytes = None, as_json: AsJson = False) -> None:
    """Merge small files of closed or crowded days; nothing else about them changes, and that is checked."""
    day = [] if date is None else ["--date", date.date().isoformat()]
    most = [] if max_bytes is None else ["--max-bytes", str(max_bytes)]
    _become(commands.job("compact", contract, *day, *most, *_json(as_json)))


def reconcile(
    contract: Contract,
    date: KafkaDay,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    remove_extra: Annotated[bool, typer.Option("--remove-extra", help="Remove doubles and phantoms.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare a day of Kafka with bronze, byte by byte, and repair what is missing.

    Exit 0: all that was found is repaired. 1: something is left. 2: can't tell.
    """
    flags = ["--dry-run"] * dry_run + ["--remove-extra"] * remove_extra
    _become(commands.job("reconcile", contract, "--date", date.date().isoformat(), *flags, *_json(as_json)))


def recompute(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The day of event time, UTC.")],
    only: Annotated[list[str] | None, typer.Option(help="A stream of the speed layer; all if none is named.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compute a day of the speed layer again, from bronze: late, repaired and imported records count now.

    Exit 0: each stream's day is final, or still open. 2: something failed, and may not if it is tried again.
    """
    named = [word for name in only or () for word in ("--only", name)]
    flags = ["--dry-run"] * dry_run
    _become(commands.job("recompute", day.date().isoformat(), *named, *flags, *_json(as_json)))


@topic.command()
def adopt(contract: Contract) -> None:
    """Archive the table of a recreated topic and its checkpoint, and start anew: then restart the streams."""
    from tidemark.adopt import adopt_topic
    from tidemark.contracts import find_contract, read_contracts
    from tidemark.settings import Settings

    settings = Settings.load()
    wanted = find_contract(read_contracts(settings.contracts_dir), contract)
    for line in adopt_topic(settings, wanted):
        print(line)


def _json(as_json: bool) -> list[str]:
    return ["--json"] if as_json else []


def _become(command: list[str]) -> None:
    os.execv(command[0], command)
