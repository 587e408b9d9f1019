"""`tidemark demo`"""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tidemark.settings import Settings


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(demo)


def demo(
    scale: Annotated[float, typer.Option(min=0.001, max=100, help="The share of the 300,000 events.")] = 1.0,
) -> None:
    """Start everything, produce 300,000 events, let Airflow build the lakehouse, prove both tables, show it all."""
    # Its parts read Delta tables: other commands start faster without them.
    from tidemark.demo import Demo, links, run_demo

    settings = Settings.load()
    console = Console()
    found: Demo = run_demo(settings, console.print, scale)
    table = Table("", *(outcome.contract for outcome in found.outcomes), title="Tidemark: the demo")
    for column in table.columns[1:]:
        column.justify = "right"
    outcomes = found.outcomes
    table.add_row("produced", *(f"{each.produced:,}" for each in outcomes))
    table.add_row("bronze, good", *(f"{each.good:,}" for each in outcomes))
    table.add_row("bronze, quarantined", *(f"{each.proof['quarantined']:,}" for each in outcomes))
    for reason in sorted({reason for each in outcomes for reason in each.quarantined}):
        table.add_row(f"  {reason}", *(f"{each.quarantined.get(reason, 0):,}" for each in outcomes), style="dim")
    table.add_row("proven, landed once", *(f"{each.proof['landed_once']:,}" for each in outcomes), style="bold green")
    table.add_row("twice / lost / phantom", *(_bad(each.proof) for each in outcomes))
    table.add_row("silver, rows", *(f"{each.silver:,}" for each in outcomes))
    table.add_row("gold, rows", *(f"{each.gold:,}" for each in outcomes))
    gates = {task: state for task, state in found.tasks.items() if "gate" in task}
    passed = sum(state == "success" for state in gates.values())
    table.add_row("gates passed", f"{passed} of {len(gates)}", "")
    table.add_section()
    for step, seconds in found.seconds.items():
        table.add_row(f"seconds: {step}", f"{seconds:.0f}", "")
    table.add_row("seconds: all", f"{sum(found.seconds.values()):.0f}", "", style="bold")
    console.print(table)
    for name, link in links(settings).items():
        console.print(f"{name}: {link}", soft_wrap=True, highlight=False)
    console.print("Everything is still running; `make down` stops it.")


def _bad(proof: Mapping[str, Any]) -> str:
    return " / ".join(str(proof[kind]) for kind in ("twice", "lost", "phantom"))
