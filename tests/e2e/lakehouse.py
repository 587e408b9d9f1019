"""A lakehouse in a home and on ports of its own, used through its command line and Airflow's REST API."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import requests
from confluent_kafka import Producer

from tests.kafka import own_ports
from tests.streams import wait_until
from tidemark import ops_tables
from tidemark.airflow_api import AirflowApi
from tidemark.airflow_env import airflow_url
from tidemark.errors import TidemarkError
from tidemark.ledger import Ledger, ends
from tidemark.settings import ROOT, Settings

CONTRACTS = ("ride_events", "sales_events")  # those that silver and gold are made of

_BEAT = timedelta(seconds=5)  # at least, between two of a scheduler
_ENDED = ("success", "failed")
_WORKER = "airflow worker -- LocalExecutor"  # the title of its process


class Lakehouse:
    """Its own contracts are copies, so that a test may change them."""

    def __init__(self, home: Path) -> None:
        ports = {name: str(port) for name, port in own_ports().items()}
        self.home = home
        self.contracts = home / "contracts"
        self.contracts.mkdir(parents=True)
        for name in CONTRACTS:
            shutil.copy(ROOT / "contracts" / f"{name}.yaml", self.contracts)
        own = {"TIDEMARK_HOME": str(home), "TIDEMARK_CONTRACTS_DIR": str(self.contracts)}
        self.environment = os.environ | ports | own
        with patch.dict(os.environ, self.environment):
            self.settings = Settings.load()

    @property
    def airflow(self) -> AirflowApi:
        return AirflowApi(self.settings)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / ".venv" / "bin" / "tidemark"), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=800, check=False)

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.run("status", "--json").stdout))

    def kill(self, service: str) -> None:
        """Kill a service's process, as a machine that has no memory left does; its supervisor starts it again."""
        (pid,) = (each["pid"] for each in self.status()["services"] if each["name"] == service)
        os.kill(pid, signal.SIGKILL)

    def kill_worker(self, job: str, contract: str) -> bool:
        """Kill the worker of Airflow that runs a job about a contract; tell whether there was one."""
        for worker in self._workers(job, contract):
            worker.kill()
            return True
        return False

    def wait(self, dag: str, run: str, see: Callable[[dict[str, str]], None]) -> str:
        """Follow a run to its end through a server that may be away for a while, and give its state."""
        states: list[str] = []

        def ended() -> bool:
            with suppress(TidemarkError):
                see(self.airflow.task_states(dag, run))
                states.append(self.airflow.run_state(dag, run))
            return states[-1:] in (["success"], ["failed"])

        wait_until(ended, 600, f"{dag}: the run has ended")
        return states[-1]

    def processes(self) -> list[str]:
        """Give every process that knows the home by its environment."""
        return [" ".join(each.info["cmdline"]) for each in psutil.process_iter(["cmdline"]) if self._is_ours(each)]

    def table(self, name: str) -> str:
        return self.settings.table("bronze", name)

    def send(self, topic: str, events: Iterable[tuple[datetime, bytes]]) -> None:
        """Send records that are as old as their events, and wait until they are in bronze."""
        producer = Producer({"bootstrap.servers": self.settings.bootstrap, "log_level": 0})
        sent = 0
        for at, value in events:
            producer.produce(topic, value, timestamp=round(at.timestamp() * 1000))
            sent += 1
        wanted = self._landed(topic) + sent
        assert producer.flush(30) == 0
        wait_until(lambda: self._landed(topic) >= wanted, 60, f"{topic}: {wanted} offsets are in bronze")

    def audit(self, level: str, subject: str, day: date) -> list[dict[str, Any]]:
        """Give what was written of a day's comparisons, the oldest first."""
        table = ops_tables.opened(self.settings, ops_tables.RECONCILIATIONS)
        assert table is not None
        found = [row for row in table.to_table().to_pylist() if (row["level"], row["subject"]) == (level, subject)]
        return sorted((row for row in found if row["day"] == day), key=lambda row: row["at"])

    def answer(self, dag: str, run: str, option: str) -> str:
        """Answer a run's question and give the state in which it ends.

        Airflow asks again if the answer comes before its scheduler knows that the task waits, within a second.
        """
        api = self.airflow

        def see(tasks: dict[str, str]) -> None:
            if tasks.get("approve") == "awaiting_input":
                asked = datetime.now(UTC)
                wait_until(lambda: self._scheduled_at() > asked + _BEAT, 60, "the scheduler has made another round")
                api.answer(dag, run, "approve", option)

        return api.wait(dag, run, 400, see)

    def backfilled(self, dag: str, days: list[date], conf: dict[str, Any]) -> dict[str, str]:
        """Let Airflow backfill a range of days; give its runs' states when all have ended."""
        api, new = self.airflow, dict[str, str]()
        known = api.runs(dag).keys()
        api.backfill(dag, days[0], days[-1], conf)

        def ended() -> bool:
            new.update((run, state) for run, state in api.runs(dag).items() if run not in known)
            return len(new) == len(days) and all(state in _ENDED for state in new.values())

        wait_until(ended, 600, f"{dag}: the backfill of {len(days)} days has ended")
        return new

    def _scheduled_at(self) -> datetime:
        health = requests.get(f"{airflow_url(self.settings)}/api/v2/monitor/health", timeout=30).json()
        return datetime.fromisoformat(health["scheduler"]["latest_scheduler_heartbeat"])

    def _landed(self, name: str) -> int:
        newest = Ledger(self.table(name)).newest_ingest()
        return sum(ends(newest.label.ranges).values()) if newest and newest.label else 0

    def _workers(self, job: str, contract: str) -> Iterator[psutil.Process]:
        """Find the worker above a process of a job: the command line, or what it has become."""
        for each in psutil.process_iter(["cmdline"]):
            words = each.info["cmdline"] or ()
            if contract in words and {job, f"streaming.batch.{job}"} & set(words) and self._is_ours(each):
                with suppress(psutil.NoSuchProcess):  # it has just ended
                    yield from (above for above in each.parents() if _WORKER in " ".join(above.cmdline()))

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.pid != os.getpid() and process.environ().get("TIDEMARK_HOME") == str(self.home)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return False


def moments(day: date, count: int) -> list[datetime]:
    """Give moments all over a day."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return [start + timedelta(days=1) * number / count for number in range(count)]
