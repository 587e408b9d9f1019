"""Services: start, stop, their logs, and what they need of the machine."""

import os
import shutil
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from tidemark import lifecycle
from tidemark.doctor import Finding, examine
from tidemark.errors import TidemarkError
from tidemark.services import ALL, absent, find_service, log_file
from tidemark.settings import Settings

WordArgument = Annotated[str, typer.Argument(help="all; streams (with Kafka); airflow; or the name of one service.")]
ServiceArgument = Annotated[str, typer.Argument(help="A service, as `tidemark status` names it.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (up, down, logs, restart, doctor):
        app.command()(command)


def up(what: WordArgument = ALL) -> None:
    """Start services and return when they are ready; what runs already is left alone."""
    settings = Settings.load()
    for line in absent(settings):
        _say(line)
    lifecycle.up(settings, what, _say)


def down(what: WordArgument = ALL) -> None:
    """Stop services gracefully; no process is left behind."""
    lifecycle.down(Settings.load(), what, _say)


def restart(service: ServiceArgument) -> None:
    """Stop one service and start it with the settings of now."""
    lifecycle.restart(Settings.load(), service, _say)


def logs(
    service: ServiceArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 100,
) -> None:
    """Show the end of a service's log."""
    settings = Settings.load()
    file = log_file(settings, find_service(settings, service).name)
    if not file.exists():
        raise TidemarkError(f"{file}: there is no such file; {service} was never started", "tidemark up")
    # tail knows how to follow a file that is rotated.
    tail = shutil.which("tail") or "/usr/bin/tail"
    os.execv(tail, ["tail", "-n", str(lines), *(["-F"] if follow else []), str(file)])


def doctor() -> None:
    """Check this machine: what is missing is named with the line that fixes it. Exit 1 if anything is."""
    findings = examine(Settings.load())
    Console().print(_findings_table(findings))
    if not all(finding.is_ok for finding in findings):
        raise typer.Exit(1)


def _say(line: str) -> None:
    typer.echo(line)


def _findings_table(findings: list[Finding]) -> Table:
    table = Table("check", "", Column("found", overflow="fold"), Column("fix", overflow="fold"))
    for finding in findings:
        verdict = ("ok", finding.found, "") if finding.is_ok else ("bad", finding.found, finding.fix)
        table.add_row(finding.name, *verdict)
    return table
