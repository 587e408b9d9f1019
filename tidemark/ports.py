"""Ports: who holds one that we need, said before anything is started."""

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from tidemark.errors import TidemarkError

_STEP = 100
_HIGHEST = 65_535
_MOMENT = 3.0  # seconds


@dataclass(frozen=True)
class Port:
    """A port and the setting that moves it."""

    setting: str
    number: int


def require_free(host: str, ports: Iterable[Port], offset: int) -> None:
    """Refuse to go on while another process holds one of the ports.

    Raises:
        TidemarkError: names each busy port, its setting and the process that holds it, and an offset that is free.
    """
    wanted = tuple(ports)
    busy = [port for port in wanted if not _gets_free(host, port.number)]
    if not busy:
        return
    lines = [f"port {port.number} ({port.setting}) is held by {_named_holder(port.number)}" for port in busy]
    fix = f"stop that process, or move all our ports: TIDEMARK_PORT_OFFSET={_free_offset(host, wanted, offset)}"
    raise TidemarkError("\n".join(lines), fix)


def is_free(host: str, number: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        # Java and uvicorn set it too: a connection in TIME_WAIT doesn't make a port busy.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, number))
        except OSError:
            return False
        return True


def is_open(host: str, number: int) -> bool:
    """Tell whether something accepts connections on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.settimeout(1.0)
        return trial.connect_ex((host, number)) == 0


def holder(number: int) -> str:
    """Say which process listens on the port; nothing if this user may not see it, or if it is ending just now."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        if connection.laddr and connection.laddr.port == number and connection.pid:
            return _described(connection.pid)
    return ""


def _gets_free(host: str, number: int) -> bool:
    """Tell whether the port is free, or is let go in a moment by a process that was killed."""
    until = time.monotonic() + _MOMENT
    while not is_free(host, number):
        if holder(number) or time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def _named_holder(number: int) -> str:
    return holder(number) or "a process that this user may not see"


def _described(pid: int) -> str:
    try:
        command = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return f"process {pid}"
    return f"process {pid}: {command[:120]}"


def _free_offset(host: str, ports: tuple[Port, ...], offset: int) -> int:
    most = _HIGHEST - max(port.number for port in ports)
    for step in range(_STEP, most, _STEP):
        if all(is_free(host, port.number + step) for port in ports):
            return offset + step
    return offset + _STEP
