"""Command lines, built by pure functions: what the CLI starts as a process and what Airflow runs are the same words."""

import sys
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


def reconcile(contract: str, day: str, *, remove_extra: bool = False) -> list[str]:
    """Give the command that reconciles a day of a bronze table with Kafka.

    Args:
        day: a date, or a template that becomes one.
    """
    return [_tidemark(), "reconcile", contract, "--date", day, *(["--remove-extra"] if remove_extra else [])]


def prove(contract: str, wait_seconds: int = 60) -> list[str]:
    """Give the command that proves a bronze table."""
    return [_tidemark(), "prove", contract, "--wait", str(wait_seconds)]


def gate(layer: str, table: str) -> list[str]:
    """Give the command that judges a table."""
    return [_tidemark(), "gate", f"{layer}.{table}"]


def dbt_build(selection: str) -> list[str]:
    """Give the command that builds the selected models."""
    return [_tidemark(), "dbt", "build", "--select", selection]


def dbt_docs(folder: Path) -> list[str]:
    """Give the command that writes dbt's documentation as one page."""
    return [_tidemark(), "dbt", "docs", "generate", "--static", "--target-path", str(folder)]


def _tidemark() -> str:
    # Airflow has an environment of its own: ours is named in full.
    return str(_BIN / "tidemark")
