"""Services: start, stop, look."""

import json
import os
import shutil
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from tidemark import lifecycle
from tidemark.doctor import Finding, examine
from tidemark.errors import TidemarkError
from tidemark.services import ALL, absent, find_service, log_file
from tidemark.settings import Settings
from tidemark.status import DROPPED_LATE, ServiceStatus, service_statuses, stream_statuses

WordArgument = Annotated[str, typer.Argument(help="all; streams (with Kafka); airflow; or the name of one service.")]
ServiceArgument = Annotated[str, typer.Argument(help="A service, as `tidemark status` names it.")]

# Each column's heading, and what the streams call it.
_STREAM_COLUMNS = {
    "name": "name",
    "state": "state",
    "batch": "batch",
    "rows per second": "rows_per_second",
    "behind": "behind",
    "dropped late": DROPPED_LATE,
    "warning": "warning",
    "last error": "last_error",
}


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (up, down, status, logs, restart, doctor):
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


def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show what runs: services and streams.

    "Dropped late" is what Spark calls numRowsDroppedByWatermark, since the streams' start: rows of state, after partial
    aggregation. One of them may stand for many records. Bronze has every record.
    """
    settings = Settings.load()
    services, streams = service_statuses(settings), stream_statuses(settings)
    if as_json:
        typer.echo(json.dumps({"services": [asdict(service) for service in services], "streams": streams}, indent=2))
        return
    console = Console()
    console.print(_services_table(services))
    if streams:
        console.print(_streams_table(streams))


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


def _services_table(services: list[ServiceStatus]) -> Table:
    table = Table("service", "state", "ready", "pid", "up", "memory")
    for service in services:
        up_for = "" if service.uptime_seconds is None else _duration(service.uptime_seconds)
        memory = "" if service.memory_mb is None else f"{service.memory_mb} MB"
        table.add_row(service.name, service.state, "yes" if service.ready else "no", _text(service.pid), up_for, memory)
    return table


def _streams_table(streams: list[dict[str, Any]]) -> Table:
    table = Table(*(Column(heading, overflow="fold") for heading in _STREAM_COLUMNS))
    for stream in streams:
        table.add_row(*(_text(stream.get(name)) for name in _STREAM_COLUMNS.values()))
    return table


def _findings_table(findings: list[Finding]) -> Table:
    table = Table("check", "", Column("found", overflow="fold"), Column("fix", overflow="fold"))
    for finding in findings:
        verdict = ("ok", finding.found, "") if finding.is_ok else ("bad", finding.found, finding.fix)
        table.add_row(finding.name, *verdict)
    return table


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
