"""`tidemark gate`: a process of its own, since the command line knows no engine."""

import os
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(gate)


def gate(
    table: Annotated[
        str, typer.Argument(metavar="LAYER.TABLE", help="Like bronze.ride_events or gold.fct_rides_hourly.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Judge a table by its suite, at the version that is the latest now, and link the report.

    Exit 0: every check of severity `fail` is met. 1: one is not, or there is no such table. 2: the gate could not run.
    """
    command = [sys.executable, "-m", "expectations.gate", table, *(["--json"] if as_json else [])]
    os.execv(command[0], command)
