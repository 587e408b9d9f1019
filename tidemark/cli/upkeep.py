"""`tidemark maintain`, `vacuum`, `retire`: upkeep of a bronze table, each a process with its own exit code."""

import os
from typing import Annotated

import typer

from tidemark import commands

Contract = Annotated[str, typer.Argument(help="The contract's id.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Bytes = Annotated[int | None, typer.Option("--max-bytes", min=1, help="Bytes of small files to join; 2 GiB if unset.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(maintain)
    app.command()(vacuum)
    app.command()(retire)


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


def _become(job: str, *arguments: str) -> None:
    command = commands.job(job, *arguments)
    os.execv(command[0], command)
