"""Waiting until services are ready: a line for each that is, and the end of its log for one that won't be."""

import time
from collections.abc import Callable, Iterable

from tidemark.errors import TidemarkError
from tidemark.services import Service, log_file
from tidemark.settings import Settings
from tidemark.supervisor import Process, Supervisor

Say = Callable[[str], None]

PAUSE = 0.3  # seconds between two looks

_STARTS = 3  # a service that was started more often than this before it was ready won't get there
_LOG_LINES = 20
_UNKNOWN = Process("STOPPED", 0, 0.0)


class Waiting:
    """Waits for services, and remembers which are ready; seconds count from when it was made."""

    def __init__(self, settings: Settings, supervisor: Supervisor, say: Say) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._say = say
        self._begun = time.monotonic()
        self._ready: set[str] = set()

    def until_ready(self, services: Iterable[Service]) -> None:
        """Return when all of them are ready.

        Raises:
            TidemarkError: one of them ends again and again, or is not ready in its time.
        """
        waiting = {service.name: service for service in services if service.name not in self._ready}
        starts: dict[str, set[float]] = {name: set() for name in waiting}
        since = time.monotonic()
        while waiting:
            processes = self._supervisor.processes()
            for name, service in list(waiting.items()):
                process = processes.get(name, _UNKNOWN)
                starts[name].add(process.since)
                if process.pid and service.probe.ready(process.since):
                    self._say(f"{name:<22} ready   {time.monotonic() - self._begun:5.1f} s")
                    self._ready.add(name)
                    del waiting[name]
                else:
                    self._give_up(service, process.state, len(starts[name]), time.monotonic() - since)
            time.sleep(PAUSE if waiting else 0)

    def _give_up(self, service: Service, state: str, starts: int, waited: float) -> None:
        """Raise if waiting longer for the service makes no sense."""
        if state == "FATAL" or starts > _STARTS:
            what = f"{service.name} ends as soon as it is started"
        elif waited > service.ready_within:
            what = f"{service.name} was not ready within {service.ready_within} seconds"
        else:
            return
        file = log_file(self._settings, service.name)
        fix = f"mend what the log says (all: tidemark logs {service.name}), then: tidemark restart {service.name}"
        raise TidemarkError(f"{what}; the last lines of {file}:\n{last_lines(self._settings, service.name)}", fix)


def last_lines(settings: Settings, name: str, count: int = _LOG_LINES) -> str:
    """Give the end of a service's log."""
    file = log_file(settings, name)
    if not file.exists():
        return "(it has written none)"
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - 100_000))
        return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-count:])
