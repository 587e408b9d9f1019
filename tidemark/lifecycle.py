"""Start, stop and restart services: their order, and nothing left behind."""

import fcntl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from tidemark.leftovers import stop_left_behind
from tidemark.ports import require_free
from tidemark.private_files import private_folder
from tidemark.services import Service, all_services, find_service, selected
from tidemark.settings import Settings
from tidemark.supervisor import Supervisor, socket_path
from tidemark.waiting import PAUSE, Say, Waiting

_ALIVE = frozenset({"STARTING", "RUNNING", "BACKOFF", "STOPPING"})


def up(settings: Settings, word: str, say: Say) -> None:
    """Start a service or a group of them in order, and return when all are ready; what runs already is left alone.

    Raises:
        TidemarkError: a port is busy, or a service didn't get ready; with the end of its log.
    """
    with _alone(settings):
        supervisor = _supervisor(settings, say)
        services = selected(settings, word)
        running = _alive(supervisor)
        idle = [service for service in services if service.name not in running]
        require_free(settings.host, [port for service in idle for port in service.ports], settings.port_offset)
        _begin(settings, supervisor)
        _start(settings, supervisor, idle, Waiting(settings, supervisor, say), services)


def down(settings: Settings, word: str, say: Say) -> None:
    """Stop a service or a group of them, the last started first; once all are stopped nothing of ours is left."""
    with _alone(settings):
        supervisor = _supervisor(settings, say)
        if not supervisor.is_alive():
            say("nothing runs")
            return
        _stop(supervisor, selected(settings, word), say)
        if not _alive(supervisor):
            supervisor.end()
            _clear(settings, say)


def restart(settings: Settings, name: str, say: Say) -> None:
    """Stop one service and start it with the settings of now."""
    service = find_service(settings, name)
    with _alone(settings):
        supervisor = _supervisor(settings, say)
        _begin(settings, supervisor)
        _stop(supervisor, [service], say)
        require_free(settings.host, service.ports, settings.port_offset)
        _start(settings, supervisor, [service], Waiting(settings, supervisor, say), [service])


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let one command at a time change what runs; a second one waits."""
    with (private_folder(settings.run) / "services.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _supervisor(settings: Settings, say: Say) -> Supervisor:
    """Give the supervisor; where it doesn't answer, first stop what a killed one has left."""
    supervisor = Supervisor(settings)
    if not supervisor.is_alive():
        _clear(settings, say)
    return supervisor


def _begin(settings: Settings, supervisor: Supervisor) -> None:
    if not supervisor.is_alive():
        supervisor.begin(all_services(settings))


def _clear(settings: Settings, say: Say) -> None:
    for name in stop_left_behind(str(socket_path(settings)), reversed(all_services(settings))):
        say(f"{name:<22} was left behind, stopped")


def _start(
    settings: Settings, supervisor: Supervisor, idle: Sequence[Service], waiting: Waiting, services: Sequence[Service]
) -> None:
    for service in idle:
        waiting.until_ready(other for other in services if other.name in service.needs)
        if service.prepare:
            service.prepare(settings)
        supervisor.start(service)
    waiting.until_ready(services)


def _stop(supervisor: Supervisor, services: Sequence[Service], say: Say) -> None:
    """Stop services wave by wave: what was started last goes first, services of equal order together."""
    last_first = sorted(services, key=lambda service: -service.order)
    for _, wave in groupby(last_first, key=lambda service: service.order):
        begun = time.monotonic()
        names = [service.name for service in wave]
        waiting = [name for name in names if name in _alive(supervisor)]
        for name in waiting:
            supervisor.stop(name)
        while waiting:
            time.sleep(PAUSE)
            stopped = [name for name in waiting if name not in _alive(supervisor)]
            for name in stopped:
                say(f"{name:<22} stopped {time.monotonic() - begun:5.1f} s")
                waiting.remove(name)


def _alive(supervisor: Supervisor) -> set[str]:
    return {name for name, process in supervisor.processes().items() if process.state in _ALIVE}
