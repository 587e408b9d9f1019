"""`tidemark trust`"""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tidemark.settings import Settings

if TYPE_CHECKING:
    from tidemark.trust import Trust, TrustedTable

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "bold red", "unknown": "dim"}


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(trust)


def trust(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Write the page, and print where it is.")] = False,
) -> None:
    """Say of each table what can be trusted: how far it is proven, its gates, its volume, what is held back."""
    # Reads Delta tables: other commands start faster without.
    from tidemark.trust import trust as looked

    settings = Settings.load()
    found = looked(settings, datetime.now(UTC))
    if html:
        from tidemark.trust_page import write_trust_page

        print(write_trust_page(settings, found))
    elif as_json:
        typer.echo(json.dumps({"at": found.at.isoformat(), "tables": [_as_json(each) for each in found.tables]}))
    else:
        Console().print(_table(found))


def _as_json(table: "TrustedTable") -> dict[str, Any]:
    days = {str(day): rows for day, rows in table.volume.days.items()}
    held = table.held_back and {str(day): dict(reasons) for day, reasons in table.held_back.days.items()}
    plain = {"volume": {"days": days, "expected": table.volume.expected}, "held_back": held}
    rest = {name: value for name, value in vars(table).items() if name not in (*plain, "gates", "proven", "lineage")}
    parts = {
        "proven": asdict(table.proven) if table.proven else None,
        "gates": [{**asdict(gate), "not_met": gate.not_met()} for gate in table.gates],
        "lineage": asdict(table.lineage),
    }
    written: dict[str, Any] = json.loads(json.dumps({"state": table.state, **rest, **plain, **parts}, default=str))
    return written


def _table(found: "Trust") -> Table:
    title = f"{found.count('pass')} of {len(found.tables)} tables are proven and pass their gates"
    table = Table(title=title, title_justify="left")
    for heading in ("table", "state", "complete through", "proof", "gate", "changed", "held back"):
        table.add_column(heading, overflow="fold")
    table.add_column("rows", justify="right")
    for each in found.tables:
        table.add_row(*_cells(each, found.at))
    return table


def _cells(table: "TrustedTable", at: datetime) -> list[str]:
    from tidemark.trust_page import age

    through = table.proven.complete_through if table.proven else None
    gate = "none" if table.gate is None else f"{table.gate.verdict}, {age(at, table.gate.at)} ago"
    return [
        table.full_name,
        f"[{_COLOURS[table.state]}]{table.state}[/]",
        f"{through:%Y-%m-%d %H:%M:%S}" if through else "not known",
        table.proven.verdict if table.proven else "none",
        "; ".join((gate, *(table.gate.not_met() if table.gate else ()))),
        f"{age(at, table.changed_at)} ago",
        f"{table.held_back.rows:,}" if table.held_back else "",
        f"{table.rows:,}",
    ]
