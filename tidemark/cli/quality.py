"""`tidemark gate`, a process of its own, since the command line knows no engine; `tidemark profile`."""

import os
import sys
from typing import Annotated

import typer

from tidemark.contracts import read_contracts
from tidemark.models import STAGED
from tidemark.settings import Settings


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(gate)
    app.command()(profile)


def gate(
    tables: Annotated[
        list[str], typer.Argument(metavar="LAYER.TABLE...", help="Like bronze.ride_events gold.fct_rides_hourly.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be judged, and write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each verdict as a line of JSON.")] = False,
) -> None:
    """Judge tables by their suites, each at one version and up to its tidemark, and link the reports.

    Exit 0: every check of severity `fail` is met. 1: one is not, or a table is not there. 2: a gate could not run.
    """
    flags = ["--dry-run"] * dry_run + ["--json"] * as_json
    command = [sys.executable, "-m", "expectations.gate", *tables, *flags]
    os.execv(command[0], command)


def profile(
    table: Annotated[str, typer.Argument(metavar="LAYER.TABLE", help="Like bronze.ride_events.")],
) -> None:
    """Propose what a contract could say of a table, from the rows that there are; nothing is written.

    Of columns that a contract calls personal, no value is shown.
    """
    # Reads Delta tables: other commands start faster without.
    from tidemark.profile import profile_of

    settings = Settings.load()
    contracts = read_contracts(settings.contracts_dir)
    name = table.partition(".")[2]
    typer.echo(profile_of(settings, table, contracts.get(STAGED.get(name, name))).to_yaml(), nl=False)
