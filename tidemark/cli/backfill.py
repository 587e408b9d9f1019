"""`tidemark backfill plan|apply|diff`"""

import os
from datetime import datetime
from typing import Annotated, Literal

import typer

from tidemark import commands

app = typer.Typer(no_args_is_help=True, help="Fill days of bronze from Kafka, from exports or from an archive.")

Contracts = Annotated[list[str], typer.Argument(help="Contracts' ids.", metavar="CONTRACT...")]
First = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, UTC.")]
Last = Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day, UTC.")]
Source = Annotated[Literal["kafka", "exports", "archive"], typer.Option(help="Where the days are taken from.")]
Place = Annotated[str, typer.Option("--path", help="Of an archive: a file or folder below the contract's exports.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(to: typer.Typer) -> None:
    """Add this module's commands."""
    to.add_typer(app, name="backfill")


@app.command()
def plan(
    contracts: Contracts,
    first: First,
    last: Last,
    source: Source = "exports",
    path: Place = ".",
    as_json: AsJson = False,
) -> None:
    """Say what would change, day by day, and change nothing. Exit 2: can't tell."""
    _become("plan", contracts, first, last, source, path, as_json)


@app.command()
def diff(
    contracts: Contracts,
    first: First,
    last: Last,
    source: Source = "exports",
    path: Place = ".",
    as_json: AsJson = False,
) -> None:
    """Show what would change row by row; what a contract calls personal is masked."""
    _become("diff", contracts, first, last, source, path, as_json)


@app.command()
def apply(
    contracts: Contracts,
    first: First,
    last: Last,
    source: Source = "exports",
    path: Place = ".",
    approved: Annotated[int, typer.Option(min=0, help="A person agrees to so many rows a day, whatever share.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Append what is missing or different, compare again, and write it to the audit.

    Exit 0: nothing is left. 1: something is left. 2: can't tell. 3: more would change than TIDEMARK_APPROVAL_SHARE.
    """
    _become("apply", contracts, first, last, source, path, as_json, "--approved", str(approved))


def _become(
    action: str,
    contracts: list[str],
    first: datetime,
    last: datetime,
    source: str,
    path: str,
    as_json: bool,
    *more: str,
) -> None:
    days = ("--from", first.date().isoformat(), "--to", last.date().isoformat())
    flags = [*more, *(["--json"] if as_json else [])]
    command = commands.job("backfill", action, *contracts, *days, "--source", source, "--path", path, *flags)
    os.execv(command[0], command)
