"""`tidemark prove`"""

import json
import logging
import sys
from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from tidemark.cli.progress import progress
from tidemark.compare import BROKEN, Kind
from tidemark.contracts import find_contract, read_contracts
from tidemark.errors import TidemarkError
from tidemark.proof import EXIT_CODES, Proof, iso, place, unproven, word
from tidemark.prove import prove as proof_of
from tidemark.settings import Settings

log = logging.getLogger(__name__)

_MOST_RANGES = 20
_COLORS = {"proven": "green", "broken": "red", "unknown": "yellow"}


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(prove)


def prove(
    contracts: Annotated[list[str], typer.Argument(help="Contracts' ids.", metavar="CONTRACT...")],
    wait: Annotated[float, typer.Option(min=0, help="Seconds that the stream may take to reach Kafka's end.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print each result as a line of JSON.")] = False,
) -> None:
    """Prove that every Kafka offset is in bronze exactly once, byte for byte.

    Exit 0: proven. 1: broken, and each bad offset is listed. 2: can't tell, and why.
    """
    codes = [_proven(contract, wait, as_json) for contract in contracts]
    raise typer.Exit(1 if 1 in codes else max(codes))


def _proven(contract: str, wait: float, as_json: bool) -> int:
    """Prove one contract, show what came of it, and give the exit code for it."""
    proof = _attempted(lambda: _proof(contract, wait), contract, as_json)
    if proof is None:
        return EXIT_CODES["unknown"]
    if as_json:
        print(json.dumps(proof.as_json()), flush=True)
    else:
        _show(proof)
    return proof.exit_code


def _proof(contract: str, wait: float) -> Proof:
    settings = Settings.load()
    return proof_of(settings, find_contract(read_contracts(settings.contracts_dir), contract), wait, progress)


def _attempted(attempt: Callable[[], Proof], contract: str, as_json: bool) -> Proof | None:
    """Give nothing on whatever is no verdict: an exit of 1 must never mean anything but broken."""
    try:
        return attempt()
    except TidemarkError as error:
        why = str(error)
    except KeyboardInterrupt:
        why = "it was interrupted"
    except BaseException as error:  # a panic of the Delta library is no Exception
        log.exception("prove failed")
        why = f"{type(error).__name__}: {error}"
    if as_json:
        print(json.dumps(unproven(contract, why)))
    else:
        print(f"{contract}: unknown: {why}", file=sys.stderr)
    return None


def _show(proof: Proof) -> None:
    console = Console()
    origin = proof.tidemark.origin
    _say(console, f"bronze.{origin.contract} against topic {origin.topic}")
    table = Table("what became of them", Column("offsets", justify="right"))
    for kind, number in proof.counts.items():
        if number or kind in (Kind.LANDED_ONCE, *BROKEN):
            table.add_row(word(kind).replace("_", " "), f"{number:,}", style="red" if number and kind in BROKEN else "")
    console.print(table)
    for finding in islice(proof.findings(), _MOST_RANGES):
        _say(console, f"{word(finding.kind):<9} {place(finding)}")
    if next(islice(proof.findings(), _MOST_RANGES, None), None):
        _say(console, "… and more: --json lists them")
    for line in [*proof.why(), *(f"note: {note}" for note in proof.notes)]:
        _say(console, line)
    color, through = _COLORS[proof.tidemark.verdict], iso(proof.tidemark.complete_through) or "no time"
    version = f"table version {origin.table_version}, " if proof.has_table else ""
    console.print(
        f"[bold {color}]{proof.tidemark.verdict}[/] {version}complete through {through}, {proof.seconds:.1f} s"
    )


def _say(console: Console, text: Any) -> None:
    # Names from the table are shown as they are, not read as markup
    console.print(text, markup=False, highlight=False, soft_wrap=True)
