"""Our supervisord: its configuration, and a client of it. It runs while any service runs."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

from tidemark.errors import TidemarkError
from tidemark.private_files import private_folder, write_private
from tidemark.services import Service, log_file
from tidemark.settings import Settings

# In the environment of supervisord and of all that it starts: the socket of the supervisord they belong to.
MARK = "TIDEMARK_SUPERVISED_BY"

_END = 10.0  # seconds that supervisord may take to end
_SOCKET_LIMIT = 98  # the kernel takes 107 characters; supervisord first binds "<path>.<pid>"


@dataclass(frozen=True)
class Process:
    """What supervisord says of a service."""

    state: str  # STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL
    pid: int  # 0 while it doesn't run
    since: float  # its last start, in seconds since the epoch; 0 if there was none


def socket_path(settings: Settings) -> Path:
    """Say where supervisord listens."""
    path = settings.run / "supervisor.sock"
    if len(str(path)) <= _SOCKET_LIMIT:
        return path
    # A deep TIDEMARK_HOME: the kernel's limit of a socket's path sends us to the system's temporary folder.
    short = hashlib.sha256(str(settings.run).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"tidemark-{os.getuid()}-{short}" / "supervisor.sock"


def launch_file(settings: Settings, name: str) -> Path:
    """Say where the file is that a service is launched with."""
    return settings.run / f"{name}.json"


def configuration(settings: Settings, services: Iterable[Service]) -> str:
    """Give supervisord's configuration."""
    head = f"""[supervisord]
logfile={_plain(log_file(settings, "supervisord"))}
logfile_maxbytes=10MB
logfile_backups=2
pidfile={_plain(settings.run / "supervisord.pid")}
directory={_plain(settings.run)}

[unix_http_server]
file={_plain(socket_path(settings))}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    return head + "".join(_program(settings, service) for service in services)


class Supervisor:
    """A client of our supervisord."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._socket = socket_path(settings)

    def is_alive(self) -> bool:
        """Tell whether it answers."""
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except OSError:
            return False

    def begin(self, services: Iterable[Service]) -> None:
        """Start supervisord, with no service yet.

        Raises:
            TidemarkError: it doesn't start.
        """
        for folder in (private_folder(self._settings.run), private_folder(self._socket.parent), self._settings.logs):
            folder.mkdir(parents=True, exist_ok=True)
        file = self._settings.run / "supervisord.conf"
        write_private(file, configuration(self._settings, services))
        self._socket.unlink(missing_ok=True)  # left by a hard reboot: nothing answers there, `is_alive` has asked
        command = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(file)]
        environment = os.environ | {MARK: str(self._socket)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode or not self.is_alive():
            raise TidemarkError(f"supervisord did not start:\n{done.stdout}{done.stderr}", f"see {self._settings.logs}")

    def processes(self) -> dict[str, Process]:
        """Give the state of each service, by name; nothing where supervisord isn't running."""
        try:
            answers = self._call("getAllProcessInfo")
        except OSError:
            return {}
        return {str(answer["name"]): _process(answer) for answer in answers}

    def start(self, service: Service) -> None:
        """Start a service with the settings of now, and don't wait for it."""
        service.folder.mkdir(parents=True, exist_ok=True)
        order = {"command": service.command, "environment": service.environment, "folder": str(service.folder)}
        write_private(launch_file(self._settings, service.name), json.dumps(order))
        try:
            self._call("startProcess", service.name, False)
        except Fault as fault:
            if not fault.faultString.startswith("ALREADY_STARTED"):
                raise TidemarkError(f"{service.name}: {fault.faultString}", "make down, then make up") from None

    def stop(self, name: str) -> None:
        """Ask a service to stop, and don't wait for it."""
        try:
            self._call("stopProcess", name, False)
        except Fault as fault:
            if not fault.faultString.startswith("NOT_RUNNING"):
                raise TidemarkError(f"{name}: {fault.faultString}", "make down") from None

    def end(self) -> None:
        """Stop all that still runs and supervisord itself, and return when it is gone."""
        process = psutil.Process(int(self._call("getPID")))
        self._call("shutdown")
        with suppress(psutil.TimeoutExpired):
            process.wait(_END)

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with ServerProxy("http://supervisor", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)


def _process(answer: dict[str, Any]) -> Process:
    return Process(state=str(answer["statename"]), pid=int(answer["pid"]), since=float(answer["start"]))


def _program(settings: Settings, service: Service) -> str:
    command = f'"{_plain(Path(sys.executable))}" -m tidemark.launch "{_plain(launch_file(settings, service.name))}"'
    return f"""
[program:{service.name}]
command={command}
priority={service.order}
autostart=false
autorestart=true
; An exit within 3 seconds counts as a failed start: it is tried again after 1, 2, 3 ... seconds, 30 times.
startsecs=3
startretries=30
stopsignal={service.stop_signal}
stopwaitsecs={service.stop_wait}
stopasgroup={str(service.stop_as_group).lower()}
killasgroup=true
redirect_stderr=true
stdout_logfile={_plain(log_file(settings, service.name))}
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=3
"""


def _plain(path: Path) -> str:
    """Give a path as the configuration's format takes it.

    Raises:
        TidemarkError: the format has no way to write it.
    """
    if any(mark in str(path) for mark in ('"', " ;", " #", "\n")):
        raise TidemarkError(f'{path}: quotes, " ;" and " #" are not possible in this path', "move it, or TIDEMARK_HOME")
    return str(path).replace("%", "%%")
