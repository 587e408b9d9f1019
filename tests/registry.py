"""A real schema registry for tests: as `make stream-up` starts it, on a free port, in a folder of its own."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kafka import dies_with_us, free_ports
from tests.streams import wait_until
from tidemark.services import registry
from tidemark.settings import Settings

_READY_SECONDS = 60
_STOPPED_SECONDS = 20


class RegistryServer:
    """One registry: `stop` and `start` keep its port and its schemas."""

    def __init__(self, home: Path) -> None:
        self._settings = Settings.model_validate({"home": home, "TIDEMARK_REGISTRY_PORT": free_ports(1)[0]})
        self._process: subprocess.Popen[bytes] | None = None
        self.url = self._settings.registry_address

    def start(self) -> None:
        """Start the registry and wait until it answers."""
        service = registry(self._settings)
        assert service.prepare
        service.prepare(self._settings)
        path = service.folder / "registry.log"
        with path.open("ab") as log:
            command = [*dies_with_us(), *service.command]
            environment = {**os.environ, **service.environment}
            self._process = subprocess.Popen(command, cwd=service.folder, env=environment, stdout=log, stderr=log)
        wait_until(lambda: service.probe.ready(0), _READY_SECONDS, "the registry answers")

    def stop(self) -> None:
        """Stop the registry; its schemas stay."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(_STOPPED_SECONDS)
            self._process = None


@contextmanager
def running_registry(home: Path) -> Iterator[RegistryServer]:
    """Run a registry with its state in a folder."""
    server = RegistryServer(home)
    try:
        server.start()
        yield server
    finally:
        server.stop()
