"""A service in a container of its own: it becomes what the supervisor would start, and answers by its probe."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tidemark.container import prepare
from tidemark.errors import TidemarkError
from tidemark.services import find_service
from tidemark.settings import ROOT, Settings

pytestmark = pytest.mark.unit

_BECOME = """
import dataclasses, sys
from tidemark.container import become, prepare
from tidemark.services import find_service
from tidemark.settings import Settings

settings = Settings.load()
told = "import json, os; print(json.dumps([os.getpid(), os.getcwd(), dict(os.environ)]))"
service = dataclasses.replace(find_service(settings, "streams"), command=(sys.executable, "-c", told))
prepare(settings, service)
become(service)
"""


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Stay silent."""


@pytest.fixture
def healthy_port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def asked(port: int) -> int:
    line = [sys.executable, "-m", "tidemark.container", "ready", "streams"]
    return subprocess.run(line, env={"TIDEMARK_STREAMS_PORT": str(port)}, cwd=ROOT, check=False).returncode


def test_process_becomes_the_service(tmp_path: Path) -> None:
    environment = {"TIDEMARK_HOME": str(tmp_path), "TIDEMARK_KAFKA_BOOTSTRAP": "kafka:9092", "OF_THE_CONTAINER": "kept"}
    line = [sys.executable, "-c", _BECOME]
    with subprocess.Popen(line, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        told, _ = process.communicate(timeout=60)
    pid, folder, variables = json.loads(told)
    assert pid == process.pid
    assert folder == str(tmp_path / "streams")
    assert variables["TIDEMARK_KAFKA_BOOTSTRAP"] == "kafka:9092" and variables["OF_THE_CONTAINER"] == "kept"
    assert variables["SPARK_LOCAL_IP"] == "127.0.0.1"


def test_first_of_airflows_programs_prepares_for_all(tmp_path: Path) -> None:
    """Four that bring one database up to date at once fail on each other's locks."""
    settings = Settings(home=tmp_path / "home", airflow_venv=tmp_path / "missing")
    for program in ("scheduler", "dag-processor", "triggerer"):
        prepare(settings, find_service(settings, f"airflow-{program}"))
    with pytest.raises(TidemarkError, match="Airflow's environment is not there"):
        prepare(settings, find_service(settings, "airflow-api"))


def test_readiness_is_the_exit_code(healthy_port: int) -> None:
    assert asked(healthy_port) == 0
    assert asked(1) == 1


def test_unknown_service_is_refused_with_those_there_are() -> None:
    line = [sys.executable, "-m", "tidemark.container", "run", "strems"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "found 'strems'; allowed are kafka, registry" in done.stderr
