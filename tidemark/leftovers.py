"""Processes of ours that no supervisord looks after: what a killed one leaves, and what a service forgets to stop.

They are known by their environment, which every process of a service inherits and which names the supervisord that
began it. A record of process ids could not know the grandchildren that were started after it was written.
"""

import os
from collections.abc import Iterable, Sequence

import psutil

from tidemark.services import Service
from tidemark.supervisor import MARK

_NAME = "SUPERVISOR_PROCESS_NAME"  # supervisord sets it for each service
_SUPERVISORD = "supervisord"
_GRACE = 5.0  # seconds between SIGTERM and SIGKILL of what isn't a service itself


def left_behind(socket: str) -> list[psutil.Process]:
    """Find all processes that were started under the supervisord of this socket, itself included."""
    me = psutil.Process()
    ours = {me.pid, *(parent.pid for parent in me.parents())}
    return [process for process in psutil.process_iter() if process.pid not in ours and _mark(process) == socket]


def stop_left_behind(socket: str, services: Iterable[Service]) -> list[str]:
    """Stop all that is left, the services in this order and each in its own way; then kill what remains.

    Gives the names of what was found: services, and `supervisord` itself.
    """
    order = list(services)
    found: dict[str, list[psutil.Process]] = {}
    for process in left_behind(socket):
        found.setdefault(_environment(process).get(_NAME, _SUPERVISORD), []).append(process)
    # A supervisord that is alive but out of reach would restart what we stop: it goes first, and stops its children.
    _stop(found.get(_SUPERVISORD, []), max([service.stop_wait for service in order], default=_GRACE))
    for service in order:
        its = found.get(service.name, [])
        _stop(its if service.stop_as_group else _tops(its), service.stop_wait)
    _stop(left_behind(socket), _GRACE)
    return sorted(found)


def _tops(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Keep those whose parent isn't among them: the service itself, which stops its own children in its own way."""
    pids = {process.pid for process in processes}
    return [process for process in processes if _parent(process) not in pids]


def _stop(processes: Iterable[psutil.Process], patience: float) -> None:
    waiting = [process for process in processes if _signalled(process, kill=False)]
    _, stubborn = psutil.wait_procs(waiting, timeout=patience)
    psutil.wait_procs([process for process in stubborn if _signalled(process, kill=True)], timeout=_GRACE)


def _signalled(process: psutil.Process, *, kill: bool) -> bool:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return False
    return True


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return 0


def _mark(process: psutil.Process) -> str:
    return _environment(process).get(MARK, "")


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ() if process.uids().real == os.getuid() else {}
    except (psutil.Error, OSError):
        return {}
