"""What runs: the state of each service, and of each stream as the streams' own process tells it."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psutil

from tidemark.contracts import BRONZE, read_contracts
from tidemark.errors import TidemarkError
from tidemark.probes import fetched
from tidemark.services import Service, all_services, log_file
from tidemark.settings import Settings
from tidemark.stream_looks import lags
from tidemark.supervisor import Process, Supervisor
from tidemark.table_looks import ContractLook, contract_looks

DROPPED_LATE = "numRowsDroppedByWatermark"  # as Spark calls it: rows of state, after partial aggregation

# supervisord's words, and ours.
_STATES = {
    "STOPPED": "stopped",
    "EXITED": "stopped",
    "STARTING": "starting",
    "RUNNING": "running",
    "BACKOFF": "restarting",
    "STOPPING": "stopping",
    "FATAL": "failed",
}


@dataclass(frozen=True)
class ServiceStatus:
    """One service, as it is now."""

    name: str
    state: str  # stopped, starting, running, restarting, stopping, failed
    pid: int | None
    uptime_seconds: int | None
    memory_mb: int | None  # of the process and all that it started
    ready: bool
    log: str


def service_statuses(settings: Settings) -> list[ServiceStatus]:
    """Give the state of every service; all are stopped where no supervisord runs."""
    processes = Supervisor(settings).processes()
    services = all_services(settings)
    with ThreadPoolExecutor(max_workers=len(services)) as pool:  # a probe may wait for its time limit
        return list(pool.map(lambda service: _status(settings, service, processes.get(service.name)), services))


def stream_statuses(settings: Settings) -> list[dict[str, Any]]:
    """Give what the streams' process says of each stream; nothing where it doesn't answer."""
    answer = fetched(f"http://{settings.host}:{settings.streams_port}/streams")
    return answer if isinstance(answer, list) else []


def is_stream(settings: Settings, name: str) -> bool:
    """Tell whether the streams' process has a stream of that name."""
    return any(each["name"] == name for each in stream_statuses(settings))


def with_tidemarks(settings: Settings, streams: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to each stream of bronze how far its table is proven, and the share of its newest rows that is held back."""
    names = [each["name"].removeprefix(BRONZE) for each in streams if each["name"].startswith(BRONZE)]
    looks = {f"{BRONZE}{each.name}": each for each in contract_looks(settings, names, datetime.now(UTC))}
    return [each | (_tidemark(looks[each["name"]]) if each["name"] in looks else {}) for each in streams]


def with_lags(
    settings: Settings, streams: list[dict[str, Any]], services: Sequence[ServiceStatus]
) -> list[dict[str, Any]]:
    """Add to each stream how many offsets its topics have and it has not committed; None: nobody can tell.

    What Spark says of it is of the moment at which a micro-batch was planned, and so nothing, however long that takes.
    """
    known: Mapping[str, int | None] = {}
    if all(each.ready for each in services if each.name == "kafka"):  # an answer is waited for ten seconds
        with suppress(TidemarkError):  # Kafka is away, or a contract is being written: the rest is told all the same
            known = lags(settings, read_contracts(settings.contracts_dir), [each["name"] for each in streams])
    return [each | {"lag": known.get(each["name"])} for each in streams]


def _tidemark(look: ContractLook) -> dict[str, Any]:
    through = look.complete_through and look.complete_through.isoformat()
    share = look.recent_quarantined / look.recent_rows if look.recent_rows else None
    return {"complete_through": through, "quarantined_share": share}


def _status(settings: Settings, service: Service, process: Process | None) -> ServiceStatus:
    log = str(log_file(settings, service.name))
    if process is None or not process.pid:
        state = _STATES.get(process.state, "stopped") if process else "stopped"
        return ServiceStatus(service.name, state, None, None, None, ready=False, log=log)
    ready = service.probe.ready(process.since)
    return ServiceStatus(
        name=service.name,
        # supervisord says STARTING for some seconds, whatever the service says itself.
        state="running" if ready else _STATES.get(process.state, process.state.lower()),
        pid=process.pid,
        uptime_seconds=max(0, int(time.time() - process.since)),
        memory_mb=_memory(process.pid),
        ready=ready,
        log=log,
    )


def _memory(pid: int) -> int | None:
    try:
        return round(memory_of(psutil.Process(pid)) / 2**20)
    except psutil.Error:
        return None


def memory_of(process: psutil.Process) -> int:
    """Sum up the memory of a process and all that it started, in bytes; what they share counts once.

    Raises:
        psutil.Error: the process has ended, or is not ours.
    """
    total = _share(process)
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            total += _share(child)
    return total


def _share(process: psutil.Process) -> int:
    """Give a process's memory in bytes, shared pages counted once: Airflow's workers share nearly all."""
    sizes = process.memory_full_info()
    return int(getattr(sizes, "pss", sizes.rss))
