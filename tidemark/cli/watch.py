"""`tidemark watch`"""

import logging
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from tidemark.errors import TidemarkError
from tidemark.settings import Settings

if TYPE_CHECKING:
    from tidemark.incidents import Incident
    from tidemark.watch import Look

log = logging.getLogger(__name__)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(watch)


def watch(
    as_json: Annotated[bool, typer.Option("--json", help="Print the look as JSON.")] = False,
    mend: Annotated[bool, typer.Option("--mend", help="Restart what is stuck, once for each incident.")] = False,
) -> None:
    """Look at every stream and table once; open an incident for what is wrong, close it when that is over.

    Exit 0: all is well. 1: an incident is open. 2: nobody could look.
    """
    try:
        look = _looked(may_mend=mend)
    except TidemarkError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    except Exception:
        log.exception("watch failed")  # an exit of 1 must never mean anything but an incident
        raise typer.Exit(2) from None
    if as_json:
        from tidemark.watch import as_json as written

        print(written(look))
    else:
        _show(look)
    raise typer.Exit(1 if look.incidents else 0)


def _looked(*, may_mend: bool) -> "Look":
    # It reads Delta tables: other commands start faster without that.
    from tidemark.watch import watch as look_once

    return look_once(Settings.load(), lambda line: print(line, file=sys.stderr), may_mend=may_mend)


def _show(look: "Look") -> None:
    console = Console()
    console.print(_streams_table(look))
    console.print(_contracts_table(look))
    if not look.incidents:
        console.print("all is well", style="green")
    for incident in look.incidents:
        console.print(_said(incident), style="bold red", markup=False, highlight=False, soft_wrap=True)


def _streams_table(look: "Look") -> Table:
    table = Table(
        Column("stream", no_wrap=True),
        "state",
        *(Column(name, justify="right") for name in ("lag", "rows/s", "restarts")),
    )
    for heading in ("watermark age", "commit age"):
        table.add_column(heading, justify="right")
    for each in look.streams:
        numbers = (_number(each.lag), _number(each.rows_per_second), str(each.restarts))
        table.add_row(each.name, each.state, *numbers, _age(each.watermark, look.at), _age(each.last_commit, look.at))
    return table


def _contracts_table(look: "Look") -> Table:
    table = Table("contract", "proof", Column("tidemark age", justify="right"), Column("held back", justify="right"))
    for each in look.contracts:
        share = f"{100 * each.recent_quarantined / each.recent_rows:.1f} %" if each.recent_rows else ""
        table.add_row(each.name, each.verdict or "none yet", _age(each.complete_through, look.at), share)
    return table


def _said(incident: "Incident") -> str:
    since = incident.since.isoformat(timespec="seconds")
    return f"incident: {incident.stream}: {incident.kind} since {since}: {incident.what}\n  runbook: {incident.runbook}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _age(when: datetime | None, now: datetime) -> str:
    if when is None:
        return ""
    seconds = max(0, round((now - when).total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    return f"{seconds} s" if seconds < 120 else f"{minutes} min" if minutes < 120 else f"{hours} h"
