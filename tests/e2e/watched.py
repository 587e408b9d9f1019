"""A lakehouse under a steady load, on a small disk of its own, watched by its own Prometheus and Alertmanager."""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

import psutil
import requests

from tests.e2e.lakehouse import Lakehouse
from tests.kafka import dies_with_us
from tests.streams import wait_until
from tidemark.alertmanager_server import GROUP_WAIT
from tidemark.prometheus_api import firing
from tidemark.settings import ROOT
from tidemark.supervisor import Supervisor

LOAD = {"ride_events": 100, "card_payments": 10}  # records a second
# Copies of the rides' contract, each with a topic of its own: what befalls one befalls no other.
COPIES = ("fragile_rides", "recreated_rides", "held_rides", "doubled_rides")
FRAGILE = 'pattern: "(a|b)*", description: Who rides.'  # overflows Java's stack on a long text

_DISK = "4g"
_SENDS_WITHIN = 5.0  # seconds, when it is time to
_LOOK_SECONDS = 1.0  # between two questions to Prometheus, whoever asks
_FOR_EVER = "9000s"

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Fired:
    """An alert that fires."""

    name: str
    labels: Labels

    def is_one_of(self, name: str, labels: Labels) -> bool:
        return self.name == name and labels.items() <= self.labels.items()


class Watched(Lakehouse):
    """What is done to it is done as people and machines do it: by commands, files and signals."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.environment.pop("JAVA_TOOL_OPTIONS", None)  # it runs for an hour, as in life: the second compiler pays
        self.environment["TIDEMARK_BATCH_INTERVAL_MS"] = "2000"
        shutil.copy(ROOT / "contracts" / "card_payments.yaml", self.contracts)
        (self.contracts / "sales_events.yaml").unlink()  # so that two cores have some time left
        for name in COPIES:
            self._copy_of_rides(name)
        self._load: dict[str, subprocess.Popen[bytes]] = {}
        self._asking = Lock()
        self._seen: list[Fired] = []
        self._seen_at = 0.0

    def done(self, *words: str) -> str:
        """Run a command of ours that must go well."""
        ran = self.run(*words)
        assert ran.returncode == 0, f"{words}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def produce(self, contract: str, *words: str) -> subprocess.Popen[bytes]:
        """Send records in the background."""
        command = [*dies_with_us(), str(ROOT / ".venv" / "bin" / "tidemark"), "produce", contract, *words, "--json"]
        with (self.home / f"produce_{contract}.log").open("ab") as log:
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    @contextmanager
    def producing(self, contract: str, *words: str) -> Iterator[None]:
        """Send records while the block runs."""
        sender = self.produce(contract, *words, "--for", _FOR_EVER)
        try:
            yield
        finally:
            _end(sender)

    def load(self) -> None:
        """Begin the steady load; what has ended of it, begin again."""
        for contract, rate in LOAD.items():
            if contract not in self._load or self._load[contract].poll() is not None:
                self._load[contract] = self.produce(contract, "--rate", str(rate), "--for", _FOR_EVER)

    def unload(self, *contracts: str) -> None:
        """End the load of some contracts."""
        for contract in contracts:
            if contract in self._load:
                _end(self._load.pop(contract))

    def landed(self, contract: str) -> int:
        """Count the offsets that are in bronze."""
        return self._landed(contract)

    def service(self, name: str) -> psutil.Process:
        """Give a service's process."""
        return psutil.Process(Supervisor(self.settings).processes()[name].pid)

    def jvm(self, name: str) -> psutil.Process:
        """Give the Java that a service has started."""
        (java,) = (each for each in self.service(name).children() if each.name() == "java")
        return java

    def firing(self) -> list[Fired]:
        """Give the alerts that fire now, at most a second old."""
        with self._asking:
            if monotonic() - self._seen_at > _LOOK_SECONDS:
                self._seen = [Fired(each["name"], each["labels"]) for each in firing(self.settings)]
                self._seen_at = monotonic()
            return self._seen

    def fires(self, name: str, labels: Labels) -> bool:
        """Tell whether an alert fires."""
        return any(each.is_one_of(name, labels) for each in self.firing())

    def sent(self, name: str, labels: Labels) -> list[bool]:
        """Give for each such alert that Alertmanager has had for long enough to send whether another keeps it quiet."""
        url = f"http://{self.settings.host}:{self.settings.alertmanager_port}/api/v2/alerts"
        told = requests.get(url, params={"filter": f'alertname="{name}"'}, timeout=10).json()
        due = datetime.now(UTC) - timedelta(seconds=GROUP_WAIT + _SENDS_WITHIN)
        return [
            bool(each["status"]["inhibitedBy"])
            for each in told
            if labels.items() <= each["labels"].items() and datetime.fromisoformat(each["startsAt"]) < due
        ]

    def fired_within(self, seconds: float) -> set[str]:
        """Name every alert that fired at any time within the last seconds, with its labels."""
        found = self._asked(f'max_over_time(ALERTS{{alertstate="firing"}}[{seconds:.0f}s])')
        return {str(each["metric"]) for each in found}

    def measured(self, query: str) -> float:
        """Give the highest value of a query; 0 where it has none."""
        return max((float(each["value"][1]) for each in self._asked(query)), default=0.0)

    def _asked(self, query: str) -> list[dict[str, Any]]:
        url = f"{self.settings.prometheus_address}/api/v1/query"
        found: list[dict[str, Any]] = requests.get(url, params={"query": query}, timeout=10).json()["data"]["result"]
        return found

    def _copy_of_rides(self, name: str) -> None:
        text = (ROOT / "contracts" / "ride_events.yaml").read_text()
        text = re.sub(r"^(id|topic): ride_events$", rf"\1: {name}", text, flags=re.MULTILINE)
        if name.startswith("fragile"):
            text, count = re.subn(r"maxLength: \d+, description: Who rides\.", FRAGILE, text)
            assert count == 1
        (self.contracts / f"{name}.yaml").write_text(text)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk in memory on a folder."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tidemark-alerts", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert mounted.returncode == 0, f"no disk can be mounted, which takes root: {mounted.stderr}"
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def watched_lakehouse(folder: Path) -> Iterator[Watched]:
    """Run everything under load; each table has some rows and a proof."""
    with small_disk(folder):
        house = Watched(folder / "home")
        try:
            house.done("up")
            for contract in COPIES:
                house.done("produce", contract, "--count", "200")
            house.load()
            names = (*LOAD, *COPIES)
            wait_until(lambda: all(map(house.landed, names)), 120, "every table has rows")
            house.done("prove", *names, "--wait", "120")
            yield house
        finally:
            house.unload(*LOAD)
            house.done("down")
            assert house.processes() == []


@contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    """Let a process hang: it is there, and answers nobody."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _end(sender: subprocess.Popen[bytes]) -> None:
    sender.kill()
    sender.wait(10)
