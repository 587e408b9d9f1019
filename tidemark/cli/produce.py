"""`tidemark produce`"""

import json
import random
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tidemark.cli.progress import progress
from tidemark.contracts import find_contract, read_contracts
from tidemark.domains.mix import Mix, Records
from tidemark.errors import TidemarkError
from tidemark.produce import Outbox, Sent, encoder_of, plan_of
from tidemark.produce import produce as send
from tidemark.settings import Settings
from tidemark.topics import Topics

_SEEDS = 2**32


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(produce)


def produce(
    contract: Annotated[str, typer.Argument(help="The contract whose topic gets the records.")],
    count: Annotated[int | None, typer.Option(help="How many records, as fast as Kafka takes them.")] = None,
    rate: Annotated[float | None, typer.Option(help="How many records a second.")] = None,
    duration: Annotated[str | None, typer.Option("--for", help="How long at that rate: 60, 60s, 5m, 2h.")] = None,
    bad_rate: Annotated[float, typer.Option(help="The share that breaks the contract: 0.02 is 2 %.")] = 0.0,
    duplicate_rate: Annotated[float, typer.Option(help="The share that is an earlier record sent again.")] = 0.0,
    late_rate: Annotated[float, typer.Option(help="The share whose event time is minutes to hours ago.")] = 0.0,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same records, ids too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Send generated records of a contract: made from the contract, and for the demo's topics from a model of them."""
    plan = plan_of(count, rate, duration)
    mix = Mix(bad_rate, duplicate_rate, late_rate)
    settings = Settings.load()
    wanted = find_contract(read_contracts(settings.contracts_dir), contract)
    # Without a seed the ids are new in every run; the result names the seed that was drawn
    drawn = random.randrange(_SEEDS) if seed is None else seed
    records = Records(wanted, mix, drawn, encoder_of(wanted, settings))
    Topics(settings.bootstrap).ensure(wanted.topic, settings.topic_partitions)
    outbox = Outbox(settings.bootstrap, wanted.topic)
    with progress(f"produce {wanted.id}", plan.total) as shown:
        sent = send(records, plan, outbox, shown)
    typer.echo(json.dumps(sent.as_json())) if as_json else Console().print(_table(sent))
    if sent.unacknowledged:
        raise TidemarkError(
            f"{sent.unacknowledged:,} of {sent.produced:,} records were not acknowledged by Kafka at "
            f"{settings.bootstrap}: {outbox.reason}",
            "look at Kafka's log, then produce again",
        )


def _table(sent: Sent) -> Table:
    table = Table("produced", "", title=f"{sent.contract} → topic {sent.topic}", title_justify="left")
    table.columns[1].justify = "right"
    for name in ("produced", "good", "bad"):
        table.add_row(name, f"{getattr(sent, name):,}")
    for kind, number in sorted(sent.bad_by_kind.items()):
        table.add_row(f"  {kind}", f"{number:,}", style="dim")
    table.add_row("duplicates", f"{sent.duplicates:,}")
    table.add_row("late", f"{sent.late:,}")
    table.add_row("good, without duplicates", f"{sent.distinct_good:,}")
    table.add_row("seconds", f"{sent.seconds:.2f}")
    table.add_row("records a second", f"{sent.produced / sent.seconds:,.0f}")
    table.add_row("seed", str(sent.seed))
    return table
