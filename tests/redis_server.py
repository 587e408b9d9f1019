"""A real Redis for tests: with our own configuration, on a free port, in a folder of its own."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from tests.kafka import dies_with_us, free_ports
from tests.streams import wait_until
from tidemark.probes import RedisProbe
from tidemark.redis_server import prepare, server_command
from tidemark.settings import Settings

READY_SECONDS = 10


class RedisServer:
    """One server: it comes back empty on the same port."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.client = Redis(port=settings.redis_port, decode_responses=True)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        prepare(self.settings)
        folder = self.settings.home / "redis"
        with (folder / "redis.log").open("ab") as log:
            command = [*dies_with_us(), *server_command(self.settings)]
            self._process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        probe = RedisProbe(self.settings.host, self.settings.redis_port)
        wait_until(lambda: probe.ready(0), READY_SECONDS, (folder / "redis.log").read_text())

    def stop(self) -> None:
        """Stop the server; it forgets everything."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(READY_SECONDS)
            self._process = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """Be gone while the block runs."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def send_signal(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        assert self._process
        self._process.send_signal(number)

    def hashes(self, prefix: str) -> dict[str, Any]:
        """Give every hash under a prefix, by the rest of its name."""
        names = list(self.client.scan_iter(f"{prefix}:*"))
        return {str(name).removeprefix(f"{prefix}:"): self.client.hgetall(name) for name in names}


@contextmanager
def running_redis(settings: Settings) -> Iterator[RedisServer]:
    """Run a server on the settings' port."""
    server = RedisServer(settings)
    try:
        server.start()
        yield server
    finally:
        server.client.close()
        server.stop()


def with_redis(home: Path, **changes: Any) -> Settings:
    """Give settings with their state in `home` and a free port for Redis."""
    return Settings.model_validate({"home": home, "TIDEMARK_REDIS_PORT": free_ports(1)[0]} | changes)
