"""Services: start, stop, their logs, and what they need of the machine."""

import json
import os
import shutil
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from tidemark import lifecycle
from tidemark.check_finding import Finding
from tidemark.doctor import examine, verdict
from tidemark.errors import TidemarkError
from tidemark.optional_services import absent
from tidemark.services import ALL, all_services, find_service, log_file
from tidemark.settings import Settings
from tidemark.status import is_stream
from tidemark.stream_control import restart_stream

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


def restart(
    name: Annotated[str, typer.Argument(help="A service or a stream, as `tidemark status` names them.")],
) -> None:
    """Stop one service and start it with the settings of now; or one stream by its contract of now, beside the others.

    A stream's code is its process': when that has changed, restart the service `streams`.
    """
    settings = Settings.load()
    if name in {service.name for service in all_services(settings)} or not is_stream(settings, name):
        lifecycle.restart(settings, name, _say)
    else:
        _say(restart_stream(settings, name))


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


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Check this machine and what runs on it: what is bad is named with the line that fixes it. Exit 1 if any is."""
    findings = examine(Settings.load())
    if as_json:
        is_well = all(finding.is_ok for finding in findings)
        told = {"is_well": is_well, "verdict": verdict(findings), "checks": [asdict(each) for each in findings]}
        typer.echo(json.dumps(told, indent=2))
    else:
        Console().print(_findings_table(findings))
        typer.echo(verdict(findings))
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
