"""`tidemark backfill plan|apply|diff`"""

import os
from datetime import datetime
from typing import Annotated, Literal

import typer

from tidemark import commands


def register(to: typer.Typer) -> None:
    """Add this module's commands."""
    to.command()(backfill)


def backfill(
    action: Annotated[
        Literal["plan", "diff", "apply"],
        typer.Argument(
            help="Say what would change day by day; show it row by row; or do it.", metavar="plan|diff|apply"
        ),
    ],
    contracts: Annotated[list[str], typer.Argument(help="Contracts' ids.", metavar="CONTRACT...")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, UTC.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day, UTC.")],
    source: Annotated[
        Literal["kafka", "exports", "archive"], typer.Option(help="Where the days are taken from.")
    ] = "exports",
    path: Annotated[str, typer.Option(help="Of an archive: a file or folder below the contract's exports.")] = ".",
    approved: Annotated[
        int, typer.Option(min=0, metavar="ROWS", help="apply: a person agrees to so many rows a day, whatever share.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Fill days of bronze from Kafka, from exports or from an archive.

    plan and diff change nothing; what a contract calls personal is masked. apply appends what is missing or different,
    compares again, and writes it to the audit.

    Exit 0: nothing is left. 1: something is left. 2: can't tell. 3: more would change than TIDEMARK_APPROVAL_SHARE.
    """
    days = ("--from", first.date().isoformat(), "--to", last.date().isoformat())
    flags = ("--source", source, "--path", path, "--approved", str(approved), *(["--json"] if as_json else []))
    command = commands.job("backfill", action, *contracts, *days, *flags)
    os.execv(command[0], command)
