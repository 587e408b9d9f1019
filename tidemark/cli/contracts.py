"""`tidemark contracts …`"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tidemark import commands
from tidemark.contracts import read_contracts
from tidemark.settings import Settings

if TYPE_CHECKING:
    from tidemark.contract_diff import Diff

group = typer.Typer(no_args_is_help=True, help="Contracts: one YAML file per topic.")

File = Annotated[Path, typer.Argument(help="The changed contract; its name says which one, as in the folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(group, name="contracts")


@group.command()
def check() -> None:
    """Check every contract file; list all problems with file, line and field. Exit 1 if there is any."""
    contracts = read_contracts(Settings.load().contracts_dir)
    table = Table("contract", "version", "topic", "columns", "key", "checks")
    for contract in contracts.values():
        sizes = (str(len(contract.columns)), ", ".join(contract.key), str(len(contract.quality)))
        table.add_row(contract.id, contract.version, contract.topic, *sizes)
    Console().print(table)


@group.command()
def diff(file: File, as_json: AsJson = False) -> None:
    """Say what a changed contract would do against the one in force. Exit 1: something in it is refused."""
    # Reads Delta tables and asks the registry: other commands start faster without.
    from tidemark.contract_change import change_of

    found = change_of(Settings.load(), file)
    if as_json:
        typer.echo(json.dumps(asdict(found) | {"is_refused": found.is_refused}))
    else:
        _show(found)
    raise typer.Exit(int(found.is_refused))


@group.command("try")
def try_contract(
    file: File,
    last: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many of the topic's newest records.")] = 1000,
    samples: Annotated[int, typer.Option(min=0, max=100, help="How many records of each reason are shown.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Judge a topic's newest records by a changed contract and by the one in force; nothing is written."""
    numbers = ["--last", str(last), "--samples", str(samples)]
    command = commands.job("try_contract", str(file), *numbers, *(["--json"] if as_json else []))
    os.execv(command[0], command)


def _show(found: "Diff") -> None:
    console = Console()
    old, new = found.versions
    table = Table("where", "how", "what", "refused", title=f"{found.contract}: {old} in force, {new} in the file")
    for change in found.changes:
        table.add_row(change.where, change.kind, change.what, change.refused, style="red" if change.refused else "")
    console.print(table if found.changes else f"{found.contract}: nothing changes")
    lines = [f"{what}: {line}" for what, each in found.effects.items() for line in each]
    if found.changes and not found.is_refused:
        lines.append("streams: they take it at their next start, `tidemark restart streams`")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
