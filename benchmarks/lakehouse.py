"""The streams and what they need, in a home and on ports of their own, under load."""

import argparse
import json
import os
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.exposition import scraped
from tests.kafka import own_ports
from tidemark.contracts import read_contracts
from tidemark.errors import TidemarkError
from tidemark.metric_sources.checkpoints import size_of
from tidemark.services import find_service
from tidemark.settings import ROOT, Settings
from tidemark.stream_looks import begun_streams, lags
from tidemark.supervisor import Supervisor

SHARES = {
    "ride_events": 0.3,
    "sales_events": 0.2,
    "page_views": 0.15,
    "sensor_readings": 0.15,
    "app_logs": 0.1,
    "card_payments": 0.08,
    "customers": 0.02,
}

MIB = 2**20

_TIDEMARK = str(ROOT / ".venv" / "bin" / "tidemark")

_SERVICES = ("kafka", "registry", "redis")  # that streams need
_STARTS_WITHIN = 180.0
_STOPS_WITHIN = 60.0


class Lakehouse:
    """The streams and what they need, in a home and on ports of their own."""

    def __init__(self, home: Path) -> None:
        ports = own_ports()
        self.settings = Settings.model_validate({"home": home, **ports})
        own = {"TIDEMARK_HOME": str(home), **{name: str(port) for name, port in ports.items()}}
        self._environment = os.environ | own
        self._contracts = read_contracts(self.settings.contracts_dir)
        self._only: tuple[str, ...] = ()
        self._alone: subprocess.Popen[bytes] | None = None

    def run(self, *words: str) -> None:
        """Run a command of ours; what it says goes to the terminal."""
        subprocess.run([_TIDEMARK, *words], env=self._environment, check=True)

    def told(self, *words: str) -> str:
        """Run a command of ours, whatever it finds, and give what it prints."""
        done = subprocess.run(
            [_TIDEMARK, *words], env=self._environment, check=False, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    @contextmanager
    def load(self, rate: int, seconds: int) -> Iterator[list[subprocess.Popen[bytes]]]:
        """Send records to every topic while the block runs, and until all are sent."""
        with ExitStack() as held:
            senders = []
            for contract, share in SHARES.items():
                words = ("produce", contract, "--rate", str(round(rate * share)), "--for", str(seconds), "--json")
                nowhere = subprocess.DEVNULL
                sender = subprocess.Popen([_TIDEMARK, *words], env=self._environment, stdout=nowhere, stderr=nowhere)
                senders.append(held.enter_context(sender))
            try:
                yield senders
            except BaseException:
                for sender in senders:
                    sender.kill()
                raise

    @contextmanager
    def only(self, *names: str) -> Iterator[None]:
        """Hold what streams need, and a driver of these streams alone, while the block runs."""
        for each in _SERVICES:
            self.run("up", each)
        service = find_service(self.settings, "streams")
        environment = self._environment | service.environment
        service.folder.mkdir(parents=True, exist_ok=True)
        command = [*service.command, "--only", *names]
        with subprocess.Popen(command, env=environment, cwd=service.folder) as process:
            self._alone, self._only = process, names
            try:
                self._await_streams()
                yield
            finally:
                process.terminate()
                try:
                    process.wait(_STOPS_WITHIN)
                except subprocess.TimeoutExpired:
                    kill(psutil.Process(process.pid))

    def _await_streams(self) -> None:
        began = time.monotonic()
        while not self.streams():
            if time.monotonic() - began > _STARTS_WITHIN:
                raise SystemExit("the streams do not answer: what they say is above")
            time.sleep(0.2)

    def streams(self) -> list[dict[str, Any]]:
        """Give what each stream says of itself; nothing, where they do not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.streams_port}/streams", timeout=5) as answer:
                found: list[dict[str, Any]] = json.load(answer)
        except OSError:
            return []
        return found

    def lag(self) -> int:
        """Sum up over all streams the offsets that topics have and they have not committed; 0 while Kafka is away."""
        bronze = [contract.bronze_query for contract in self._contracts.values()]
        names = self._only or {*bronze, *begun_streams(self.settings)}
        try:
            known = lags(self.settings, self._contracts, names)
        except TidemarkError:
            return 0
        return sum(each or 0 for each in known.values())

    def process(self, service: str = "streams") -> psutil.Process:
        """Give a service's process."""
        if self._alone and service == "streams":
            return psutil.Process(self._alone.pid)
        return psutil.Process(Supervisor(self.settings).processes()[service].pid)

    def checkpoint_bytes(self) -> int:
        """Sum up what all checkpoints take."""
        return size_of(self._checkpoints)

    def checkpoint_files(self) -> int:
        """Count the files of all checkpoints."""
        return sum(len(names) for _, _, names in os.walk(self._checkpoints))

    def state_rows(self) -> float | None:
        """Sum up what all streams remember; None while they do not answer."""
        try:
            return sum(scraped(self.settings.streams_port).by_label("stream_state_rows", "stream").values())
        except AssertionError:
            return None

    @property
    def _checkpoints(self) -> Path:
        return self.settings.home / "checkpoints"


@contextmanager
def streaming(arguments: argparse.Namespace, only: Sequence[str] = ()) -> Iterator[Lakehouse]:
    """Hold the streams, or some of them, and what they need while the block runs."""
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name, ExitStack() as held:
        lakehouse = Lakehouse(Path(name) / "home")
        held.callback(lakehouse.run, "down")
        if only:
            held.enter_context(lakehouse.only(*only))
        else:
            lakehouse.run("up", "streams")
        yield lakehouse


def arguments_of(
    program: str, description: str | None, rate: int, minutes: int, *, streams: bool = False
) -> argparse.Namespace:
    """Read the words of a command line: rate, minutes and folder, and where it is asked for, names of streams."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{program}", description=description)
    parser.add_argument("--rate", type=int, default=rate, help="records a second, over all topics")
    parser.add_argument("--minutes", type=int, default=minutes)
    parser.add_argument("--folder", default=None)
    if streams:
        parser.add_argument(
            "streams", nargs="*", metavar="STREAM", help="one in a driver, or all; default: each, then all"
        )
    return parser.parse_args()


def kill(process: psutil.Process) -> None:
    """Kill a process and all that it started, as a machine that has no memory left does."""
    for each in [*process.children(recursive=True), process]:
        with suppress(psutil.NoSuchProcess):
            each.kill()
