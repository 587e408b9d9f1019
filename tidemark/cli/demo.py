"""`tidemark demo`"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tidemark.settings import Settings

if TYPE_CHECKING:
    from tidemark.demo import Demo

_REASONS = 5  # how many of a contract's are shown: the most frequent ones


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(demo)


def demo(
    scale: Annotated[float, typer.Option(min=0.001, max=100, help="The share of the 375,000 events.")] = 1.0,
) -> None:
    """Start everything, produce 375,000 events, let Airflow build the lakehouse, prove every table, show it all."""
    # Its parts read Delta tables: other commands start faster without them.
    from tidemark.demo import links, run_demo

    settings = Settings.load()
    console = Console()
    found = run_demo(settings, console.print, scale)
    tables = (_contracts_table(found), _reasons_table(found), _streams_table(found), _seconds_table(found))
    for table in tables:
        console.print(table)
    for name, link in links(settings).items():
        console.print(f"{name}: {link}", soft_wrap=True, highlight=False)
    console.print("Everything is still running; `make down` stops it.")


def _contracts_table(found: "Demo") -> Table:
    table = Table(title="Tidemark: the demo", caption=_gates(found), box=SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column("contract", no_wrap=True)
    for title in ("sent", "good", "bad", "proven", "twice\nlost\nphantom", "silver", "gold"):
        table.add_column(title, justify="right", style="bold green" if title == "proven" else "")
    for each in found.outcomes:
        counts = (each.produced, each.good, each.proof["quarantined"], each.proof["landed_once"])
        built = (_shown(each.silver), _shown(each.gold))
        table.add_row(each.contract, *(f"{count:,}" for count in counts), _bad(each.proof), *built)
    return table


def _reasons_table(found: "Demo") -> Table:
    table = Table(title="Quarantined: the most frequent reasons")
    table.add_column("contract", no_wrap=True)
    table.add_column("reasons")
    for each in found.outcomes:
        reasons = list(each.quarantined.items())[:_REASONS]
        table.add_row(each.contract, ", ".join(f"{reason} {count:,}" for reason, count in reasons))
    return table


def _gates(found: "Demo") -> str:
    gates = [state for task, state in found.tasks.items() if ".gate_" in task]
    return f"{gates.count('success')} of {len(gates)} layers passed their gates"


def _streams_table(found: "Demo") -> Table:
    table = Table("table of the speed layer", "its stream", title="Streams")
    for title in ("rows", "dropped late"):
        table.add_column(title, justify="right")
    for each in found.streams:
        table.add_row(each.name, each.state, f"{each.rows:,}", f"{each.dropped:,}")
    return table


def _seconds_table(found: "Demo") -> Table:
    table = Table("step", title="Seconds")
    table.add_column("", justify="right")
    for step, seconds in found.seconds.items():
        table.add_row(step, f"{seconds:.0f}")
    table.add_row("all", f"{sum(found.seconds.values()):.0f}", style="bold")
    return table


def _shown(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"


def _bad(proof: Mapping[str, Any]) -> str:
    return "/".join(str(proof[kind]) for kind in ("twice", "lost", "phantom"))
