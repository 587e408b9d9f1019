"""The embedded Redis: one server on loopback. It keeps nothing on disk: the Delta tables have it all."""

import shutil
from pathlib import Path

from tidemark.errors import TidemarkError
from tidemark.settings import Settings

INSTALL = "sudo apt-get install redis-server"

_PROGRAM = "redis-server"


def folder(settings: Settings) -> Path:
    """Say where the server has its configuration."""
    return settings.home.absolute() / "redis"


def program() -> str | None:
    """Find the server's program; None where it is not installed."""
    return shutil.which(_PROGRAM)


def server_command(settings: Settings) -> tuple[str, ...]:
    """Give the command line of the server."""
    return (program() or _PROGRAM, str(folder(settings) / "redis.conf"))


def server_configuration(settings: Settings) -> str:
    """Give the server's configuration."""
    directives = {
        "bind": settings.host,
        "port": settings.redis_port,
        "protected-mode": "yes",
        "enable-debug-command": "no",
        "enable-module-command": "no",
        "databases": 1,
        # What it loses is made again from Delta: no snapshots, no log of writes.
        "save": '""',
        "appendonly": "no",
        # Full is an error that the writer sees. Evicting would lose hashes without a word.
        "maxmemory": settings.redis_memory,
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": '""',  # standard output, which the supervisor keeps
    }
    return "".join(f"{name} {value}\n" for name, value in directives.items())


def prepare(settings: Settings) -> None:
    """Write the configuration.

    Raises:
        TidemarkError: the server is not installed.
    """
    if program() is None:
        raise TidemarkError(f"{_PROGRAM} is not installed", INSTALL)
    folder(settings).mkdir(parents=True, exist_ok=True)
    (folder(settings) / "redis.conf").write_text(server_configuration(settings), encoding="utf-8")
