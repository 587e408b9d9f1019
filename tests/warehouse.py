"""A real warehouse for tests: the JVM of `streaming.warehouse` with a lake of its own, and dbt on it in this process.

A test module that wants one says `pytest_plugins = ("tests.warehouse",)` and asks for `warehouse`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult
from pyhive import hive  # type: ignore[import-untyped]

from tests.kafka import free_ports
from tidemark import dbt
from tidemark.probes import WarehouseProbe
from tidemark.programs import spark_environment
from tidemark.services import settings_environment
from tidemark.settings import Settings

LAYERS = ("bronze", "quarantine", "speed", "ops", "silver", "gold")

_READY_WITHIN = 120.0
_STOPPED_WITHIN = 20.0
# Tiny tables: compiling, in Spark or in the JVM, would cost more than it saves. With one compiler, Java makes room for
# a fifth of the code, and a build of all models hangs when it is full.
_JVM = (
    *("-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m"),
    *("-Dspark.sql.codegen.wholeStage=false", "-Dspark.sql.codegen.factoryMode=NO_CODEGEN"),
)


class Warehouse:
    """One warehouse: `settings` says where it and its lake are."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        thrift, connect = free_ports(2)
        ports = {"TIDEMARK_THRIFT_PORT": thrift, "TIDEMARK_CONNECT_PORT": connect}
        own: dict[str, Any] = {"home": folder, "port_offset": 0, "lake": "", "warehouse_memory": "900m", **ports}
        self.settings = Settings(**own | changes)
        self._log = folder / "warehouse.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._dbt = dbtRunner()

    def start(self) -> None:
        """Start the warehouse and wait until it answers."""
        environment = os.environ | settings_environment(self.settings) | spark_environment(self.settings.host)
        environment["JAVA_TOOL_OPTIONS"] = " ".join(_JVM)
        with self._log.open("ab") as log:
            command = [*_dies_with_us(), sys.executable, "-m", "streaming.warehouse"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """Stop the warehouse."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement and give its rows."""
        with hive.connect(self.settings.host, self.settings.thrift_port, username="test") as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def clear(self) -> None:
        """Empty the catalog and the lake, so that a test's tables are its own."""
        for layer in LAYERS:
            self.sql(f"drop schema if exists {layer} cascade")
            shutil.rmtree(Path(self.settings.lake_root) / layer, ignore_errors=True)

    def dbt(self, *arguments: str) -> dbtRunnerResult:
        """Run dbt in this process: a start of its own would cost seconds."""
        with patch.dict(os.environ, dbt.environment(self.settings)):
            return self._dbt.invoke(["--quiet", *arguments])

    def build(self, *arguments: str) -> dict[str, str]:
        """Run dbt and give the status of each node.

        Raises:
            AssertionError: something failed; it tells all that did.
        """
        done = self.dbt(*arguments)
        assert done.success, "\n".join(_problems(done))
        nodes: Any = done.result
        return {each.node.unique_id: str(each.status) for each in nodes}

    def started(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `tidemark dbt --changed` as a process of its own, with its own group."""
        environment = os.environ | settings_environment(self.settings)
        command = [sys.executable, "-m", "tidemark", "dbt", "--changed", *arguments]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)

    def build_changed(self, *arguments: str) -> None:
        """Build by `tidemark dbt --changed`.

        Raises:
            AssertionError: it failed.
        """
        assert self.started(*arguments).wait(300) == 0, self._said()

    def refusal(self, *arguments: str) -> str:
        """Run dbt, which must fail, and give what it says."""
        done = self.dbt(*arguments)
        assert not done.success
        return "\n".join(_problems(done))

    def _said(self) -> str:
        # Without the frames of Java: they are so many that the error is not among the last lines
        lines = self._log.read_text().splitlines()
        return "\n".join(line for line in lines if not line.lstrip().startswith("at "))[-3000:]

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        started = time.time()
        probe = WarehouseProbe(self.settings.host, self.settings.thrift_port, self.settings.connect_port)
        while time.time() < started + _READY_WITHIN and process.poll() is None:
            if probe.ready(started):
                return
            time.sleep(0.2)
        raise RuntimeError(f"the warehouse did not start; its log ends with:\n{self._said()}")


def _problems(done: dbtRunnerResult) -> list[str]:
    if done.exception is not None:
        return [str(done.exception)]
    nodes: Any = done.result
    return [f"{each.node.unique_id}: {each.message}" for each in nodes if each.status in ("error", "fail")]


@contextmanager
def running_warehouse(folder: Path, **changes: Any) -> Iterator[Warehouse]:
    """Run a warehouse with its state in `folder`; stop it at the end and remove the state."""
    warehouse = Warehouse(folder, **changes)
    try:
        warehouse.start()
        yield warehouse
    finally:
        warehouse.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Run one warehouse for the whole session; it starts when the first test asks for it."""
    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as running:
        yield running


def _dies_with_us() -> Sequence[str]:
    # A killed test run must leave no JVM behind; where there is no setpriv (not Linux), that is lost
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
