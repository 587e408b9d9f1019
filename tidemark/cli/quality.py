"""`tidemark gate`: a process of its own, since the command line knows no engine."""

import os
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(gate)


def gate(
    tables: Annotated[
        list[str], typer.Argument(metavar="LAYER.TABLE...", help="Like bronze.ride_events gold.fct_rides_hourly.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print each verdict as a line of JSON.")] = False,
) -> None:
    """Judge tables by their suites, each at the version that is the latest now, and link the reports.

    Exit 0: every check of severity `fail` is met. 1: one is not, or a table is not there. 2: a gate could not run.
    """
    command = [sys.executable, "-m", "expectations.gate", *tables, *(["--json"] if as_json else [])]
    os.execv(command[0], command)
