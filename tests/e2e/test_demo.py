"""The demo as a user sees it, with fewer events: all starts, Airflow builds, both tables are proven, all stops."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.kafka import free_ports
from tidemark.contracts import read_contracts
from tidemark.settings import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PORTS = (
    "KAFKA",
    "CONTROLLER",
    "THRIFT",
    "CONNECT",
    "AIRFLOW",
    "STREAMS",
    "REGISTRY",
    "REDIS",
    "AIRFLOW_LOG",
    "AIRFLOW_TRIGGER_LOG",
)


class Lakehouse:
    """A lakehouse in a home and on ports of its own, used through its command line."""

    def __init__(self, home: Path) -> None:
        ports = {f"TIDEMARK_{name}_PORT": str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
        self.home = home
        self.environment = os.environ | ports | {"TIDEMARK_HOME": str(home)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / ".venv" / "bin" / "tidemark"), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=800, check=False)

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.run("status", "--json").stdout))

    def processes(self) -> list[str]:
        """Give every process that knows the home: by its command line or its environment."""
        return [" ".join(each.info["cmdline"]) for each in psutil.process_iter(["cmdline"]) if self._is_ours(each)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.pid != os.getpid() and process.environ().get("TIDEMARK_HOME") == str(self.home)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return False


@pytest.fixture
def lakehouse(tmp_path: Path) -> Iterator[Lakehouse]:
    lakehouse = Lakehouse(tmp_path / "home")
    yield lakehouse
    lakehouse.run("down")


def test_demo_ends_proven_and_down_leaves_no_process(lakehouse: Lakehouse) -> None:
    demo = lakehouse.run("demo", "--scale", "0.02")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stdout.count(" 0/0/0 ") == len(read_contracts(ROOT / "contracts"))
    assert "3 of 3 layers passed their gates" in demo.stdout
    status = lakehouse.status()
    assert [each["name"] for each in status["services"] if not each["ready"]] == []
    assert {each["state"] for each in status["streams"]} == {"running"}
    assert (lakehouse.home / "docs" / "quality" / "index.html").exists()
    assert (lakehouse.home / "docs" / "dbt" / "static_index.html").exists()
    assert lakehouse.run("down").returncode == 0
    assert lakehouse.processes() == []
