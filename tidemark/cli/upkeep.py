"""`tidemark maintain`, `vacuum`, `retire`: upkeep of a bronze table, each a process with its own exit code.

`tidemark maintain-layer`: upkeep of all tables of another layer.
"""

import json
import os
from dataclasses import asdict
from typing import Annotated

import typer

from tidemark import commands
from tidemark.layer_upkeep import Kept, Layer, maintain_layer
from tidemark.settings import Settings

Contract = Annotated[str, typer.Argument(help="The contract's id.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Layers = Annotated[list[Layer], typer.Argument(help="Of which layers; of all if there are none.")]
Bytes = Annotated[int | None, typer.Option("--max-bytes", min=1, help="Bytes of small files to join; 2 GiB if unset.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(maintain)
    app.command()(vacuum)
    app.command()(retire)
    app.command("maintain-layer")(layers)


def maintain(contract: Contract, max_bytes: Bytes = None, as_json: AsJson = False) -> None:
    """Do what is due: compact, copy the ledger; once a day retire, vacuum and clean the log."""
    most = [] if max_bytes is None else ["--max-bytes", str(max_bytes)]
    _become("maintain", contract, *most, *["--json"] * as_json)


def vacuum(contract: Contract, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Remove files that left the table seven days ago or longer, and that nobody still reads."""
    _become("vacuum", contract, *["--dry-run"] * dry_run, *["--json"] * as_json)


def retire(contract: Contract, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Let days go that are older than the contract's `retainDays`, if they are proven."""
    _become("retire", contract, *["--dry-run"] * dry_run, *["--json"] * as_json)


def layers(names: Layers = [], dry_run: DryRun = False, as_json: AsJson = False) -> None:  # noqa: B006 - typer copies it
    """Remove files that nobody needs any more from every table behind bronze, and make few of many small ones.

    Exit 2: a table could not be kept; the others were.
    """
    settings, is_whole = Settings.load(), True
    for name in names or Layer:
        for kept in maintain_layer(settings, name, dry_run):
            print(json.dumps(asdict(kept)) if as_json else _told(kept, dry_run), flush=True)
            is_whole = is_whole and not kept.problem
    raise typer.Exit(0 if is_whole else 2)


def _told(kept: Kept, dry_run: bool) -> str:
    if kept.problem:
        return f"{kept.table}: {kept.problem}"
    would = "would be " if dry_run else ""
    joined = f"{kept.files_joined} small files {would}joined, " if kept.files_joined else ""
    return f"{kept.table}: {joined}{kept.files_removed} files {would}removed; {kept.retained_hours} hours stay"


def _become(job: str, *arguments: str) -> None:
    command = commands.job(job, *arguments)
    os.execv(command[0], command)
