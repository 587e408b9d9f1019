"""`tidemark status`"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from tidemark.settings import Settings
from tidemark.status import DROPPED_LATE, ServiceStatus, service_statuses, stream_statuses, with_lags, with_tidemarks

_EVERY_SECONDS = 2.0
_COLOURS = {
    "running": "green",
    "ready": "green",
    "starting": "yellow",
    "restarting": "yellow",
    "stopping": "yellow",
    "waiting": "yellow",
    "stopped": "dim",
    "refused": "bold red",
    "failed": "bold red",
}


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(status)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again every two seconds, until Ctrl+C.")] = False,
) -> None:
    """Show what runs: services and streams.

    "Watermark" and "proven" say how long ago that time was; "batch" is in seconds; "held" is the share of the newest
    rows that is held back. "Dropped late" is what Spark calls numRowsDroppedByWatermark, since the streams' start: rows
    of state, after partial aggregation. One of them may stand for many records. Bronze has every record.
    """
    settings = Settings.load()
    if as_json:
        services, streams = _looked(settings)
        typer.echo(json.dumps({"services": [asdict(service) for service in services], "streams": streams}, indent=2))
        return
    console = Console()
    if not watch:
        console.print(_shown(settings))
        return
    with Live(_shown(settings), console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(_EVERY_SECONDS)
                live.update(_shown(settings), refresh=True)
        except KeyboardInterrupt:
            return


def _looked(settings: Settings) -> tuple[list[ServiceStatus], list[dict[str, Any]]]:
    services, streams = service_statuses(settings), with_tidemarks(settings, stream_statuses(settings))
    return services, with_lags(settings, streams, services)


def _shown(settings: Settings) -> Group:
    services, streams = _looked(settings)
    at = datetime.now(UTC)
    tables = [_services_table(services), *([_streams_table(streams, at)] if streams else [])]
    return Group(*tables, *_wrong(streams, at))


def _services_table(services: Sequence[ServiceStatus]) -> Table:
    table = Table("service", "state", "ready", "pid", "up", "memory")
    for each in services:
        up_for = "" if each.uptime_seconds is None else _duration(each.uptime_seconds)
        memory = "" if each.memory_mb is None else f"{each.memory_mb} MB"
        ready = Text("yes", "green") if each.ready else Text("no", "" if each.state == "stopped" else "yellow")
        table.add_row(each.name, _coloured(each.state), ready, _text(each.pid), up_for, memory)
    return table


def _streams_table(streams: Sequence[Mapping[str, Any]], at: datetime) -> Table:
    """Show each stream in a line of eighty columns; what is wrong with it stands below."""
    numbers = ("rows/s", "lag", "batch", "watermark", "proven", "held")
    columns = [Column(heading, justify="right", no_wrap=True) for heading in numbers]
    table = Table(
        Column("stream", no_wrap=True),
        Column("state", min_width=7),
        *columns,
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for each in streams:
        share = each.get("quarantined_share")
        table.add_row(
            *(each["name"], _coloured(each["state"])),
            *(_text(each.get(name)) for name in ("rows_per_second", "lag", "batch_seconds")),
            *(_age(each.get(name), at) for name in ("watermark", "complete_through")),
            "" if share is None else f"{share:.1%}",
        )
    return table


def _wrong(streams: Sequence[Mapping[str, Any]], at: datetime) -> list[Text]:
    told = [(each["name"], each.get("warning")) for each in streams]
    told += [(each["name"], _failure(each, at)) for each in streams if each.get("last_error")]
    told += [(each["name"], f"dropped late: {each[DROPPED_LATE]:,}") for each in streams if each.get(DROPPED_LATE)]
    return [Text(f"{name}: {what}", "yellow") for name, what in told if what]


def _failure(stream: Mapping[str, Any], at: datetime) -> str:
    """Say when and why a stream failed last, and how often it was started again."""
    return f"failed {_age(stream['failed_at'], at)} ago, restarts: {stream['restarts']:,}: {stream['last_error']}"


def _coloured(state: str) -> Text:
    return Text(state, _COLOURS.get(state, ""))


def _age(time_: str | None, at: datetime) -> str:
    """Say how long ago a time was."""
    then = datetime.fromisoformat(time_) if time_ else None
    if then is None or then.timestamp() <= 0:  # Spark's first watermark is the epoch, and means none
        return ""
    seconds = int((at - then).total_seconds())
    return _duration(seconds) if seconds >= 0 else f"-{_duration(-seconds)}"


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} days" if days > 1 else f"{24 * days + hours}:{minutes:02}:{rest:02}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
