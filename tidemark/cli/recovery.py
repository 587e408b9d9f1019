"""`tidemark backup`, `restore` and `recover`: what is kept for the worst day, and how one comes back from it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from tidemark.contracts import read_contracts
from tidemark.settings import Settings

FolderArgument = Annotated[Path, typer.Argument(help="The backup's folder.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (backup, restore, recover):
        app.command()(command)


def backup(folder: FolderArgument) -> None:
    """Copy what can't be made anew (checkpoints, catalog, keys, databases) to a new folder, while everything runs."""
    from tidemark.backup import backup

    backup(Settings.load(), folder.absolute(), typer.echo)


def restore(folder: FolderArgument) -> None:
    """Put a whole backup back; what is there is moved aside. Services must be down."""
    from tidemark.backup import restore

    restore(Settings.load(), folder.absolute(), typer.echo)


def recover(
    catalog: Annotated[bool, typer.Option(help="Register the tables too; starts the warehouse if need be.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Bring a lake that was copied, or has lost its home, back to work: check each table, make its catalog again.

    Exit 1: something is bad, and says what to do. It may be run again and again.
    """
    # Reads Delta tables: other commands start faster without.
    from tidemark.catalog import made_again
    from tidemark.recover import Found, looked_over

    settings = Settings.load()
    found = list(looked_over(settings, read_contracts(settings.contracts_dir)))
    is_bad = any(each.state == "bad" for each in found)
    if catalog and not is_bad:
        count = made_again(settings, lambda line: typer.echo(line, err=True))
        found.append(Found("catalog", "ok", f"{count:,} tables and views of {settings.lake_root} are registered"))
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        table = Table("what", "", Column("found", overflow="fold"), Column("fix", overflow="fold"))
        for each in found:
            table.add_row(each.name, each.state, each.what, each.fix)
        Console().print(table)
    if is_bad:
        raise typer.Exit(1)
