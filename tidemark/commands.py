"""Command lines, built by pure functions: what the CLI starts as a process and what Airflow runs are the same words."""

import sys
from collections.abc import Iterable
from pathlib import Path

from tidemark.settings import ROOT

_BIN = ROOT / ".venv" / "bin"


def job(name: str, *arguments: str) -> list[str]:
    """Give the command that runs a batch job of `streaming.batch` in this environment."""
    return [sys.executable, "-m", f"streaming.batch.{name}", *arguments]


def produce(contract: str, count: int, *rates: str) -> list[str]:
    """Give the command that sends generated records and prints the result as JSON."""
    return [_tidemark(), "produce", contract, "--count", str(count), *rates, "--json"]


def compact(contract: str, day: str) -> list[str]:
    """Give the command that compacts a day of a bronze table.

    Args:
        day: a date, or a template that becomes one.
    """
    return [_tidemark(), "compact", contract, "--date", day]


def maintain(contract: str) -> list[str]:
    """Give the command that does what is due for a bronze table."""
    return [_tidemark(), "maintain", contract]


def maintain_layer(layer: str) -> list[str]:
    """Give the command that keeps the tables of a layer behind bronze."""
    return [_tidemark(), "maintain-layer", layer]


def watch() -> list[str]:
    """Give the command that looks at every stream and table, and restarts what is stuck."""
    return [_tidemark(), "watch", "--mend"]


def reconcile(contract: str, day: str, *, remove_extra: bool = False) -> list[str]:
    """Give the command that reconciles a day of a bronze table with Kafka.

    Args:
        day: a date, or a template that becomes one.
    """
    return [_tidemark(), "reconcile", contract, "--date", day, *(["--remove-extra"] if remove_extra else [])]


def recompute(day: str) -> list[str]:
    """Give the command that computes a day's windows of the speed layer again.

    Args:
        day: a date, or a template that becomes one.
    """
    return [_tidemark(), "recompute", day]


def prove(*contracts: str, wait_seconds: int = 60) -> list[str]:
    """Give the command that proves bronze tables."""
    return [_tidemark(), "prove", *contracts, "--wait", str(wait_seconds)]


def gate(layer: str, tables: Iterable[str]) -> list[str]:
    """Give the command that judges tables of a layer."""
    return [_tidemark(), "gate", *(f"{layer}.{table}" for table in tables)]


def trust_page() -> list[str]:
    """Give the command that writes the trust page."""
    return [_tidemark(), "trust", "--html"]


def backfill(
    action: str, first: str, last: str, source: str, contracts: Iterable[str] = (), path: str = "."
) -> list[str]:
    """Give the command that plans, shows or applies a backfill of a range of days.

    Args:
        contracts: none: the caller adds them.
    """
    words = ("--from", first, "--to", last, "--source", source, "--path", path)
    return [_tidemark(), "backfill", action, *words, *contracts]


def replay(contract: str, reason: str, *flags: str) -> list[str]:
    """Give the command that judges quarantined rows again."""
    return [_tidemark(), "replay", contract, "--reason", reason, *flags]


def dbt_of_what_changed() -> list[str]:
    """Give the words that stand where `dbt` would: it leaves out models whose inputs have no news."""
    return [_tidemark(), "dbt", "--changed"]


def dbt_build(selection: str) -> list[str]:
    """Give the command that builds the selected models."""
    return [_tidemark(), "dbt", "build", "--select", selection]


def dbt_docs(folder: Path) -> list[str]:
    """Give the command that writes dbt's documentation as one page."""
    return [_tidemark(), "dbt", "docs", "generate", "--static", "--target-path", str(folder)]


def _tidemark() -> str:
    # Airflow has an environment of its own: ours is named in full.
    return str(_BIN / "tidemark")
