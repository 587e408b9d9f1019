"""`tidemark quarantine` and `replay`: what is held back, and how it comes back."""

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tidemark import commands
from tidemark.contracts import find_contract, read_contracts
from tidemark.settings import Settings

if TYPE_CHECKING:
    from tidemark.quarantine import Quarantine


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(quarantine)
    app.command()(replay)


def quarantine(
    contract: Annotated[str, typer.Argument(help="A contract's id.")],
    reason: Annotated[str, typer.Option(help="Only this reason, or those that begin so: `missing`.")] = "",
    samples: Annotated[int, typer.Option(min=0, max=100, help="How many records of each reason are shown.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """List what bronze holds back: reasons, counts and samples. What the contract calls personal is masked."""
    # Reads Delta tables: other commands start faster without.
    from tidemark.quarantine import quarantine_of

    settings = Settings.load()
    found = quarantine_of(settings, find_contract(read_contracts(settings.contracts_dir), contract), samples, reason)
    if as_json:
        typer.echo(json.dumps(asdict(found), default=str))
        return
    console = Console()
    console.print(_table(found))
    for each in found.reasons:
        for sample in each.samples:
            console.print(f"{each.name}  {sample.position}", style="bold", highlight=False)
            console.print(f"  {sample.payload}", highlight=False, markup=False)


def replay(
    contract: Annotated[str, typer.Argument(help="A contract's id.")],
    reason: Annotated[str, typer.Option(help="Only rows with this reason, or one that begins so.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be released, and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Judge quarantined rows again by the contract of today; what passes is released where it stands."""
    flags = ["--dry-run"] * dry_run + ["--json"] * as_json
    command = commands.job("replay", contract, "--reason", reason, *flags)
    os.execv(command[0], command)


def _table(found: "Quarantine") -> Table:
    share = 100 * found.rows / found.of if found.of else 0.0
    table = Table(title=f"{found.contract}: {found.rows:,} of {found.of:,} rows in quarantine ({share:.2f} %)")
    table.add_column("reason")
    table.add_column("rows", justify="right")
    for title in ("first", "last"):
        table.add_column(title)
    for each in found.reasons:
        table.add_row(each.name, f"{each.rows:,}", *(f"{at:%Y-%m-%d %H:%M:%S}" for at in (each.first, each.last) if at))
    return table
