"""Measure all streams in one driver under a steady load, then how soon they go on after a kill.

`python -m benchmarks.streams`: in a home of its own, started as a person starts it. Batches, memory and checkpoints are
told for each quarter of the time, so that growth shows.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil

from tests.kafka import free_ports
from tidemark.settings import ROOT, Settings

SHARES = {
    "ride_events": 0.3,
    "sales_events": 0.2,
    "page_views": 0.15,
    "sensor_readings": 0.15,
    "app_logs": 0.1,
    "card_payments": 0.08,
    "customers": 0.02,
}
_TIDEMARK = str(ROOT / ".venv" / "bin" / "tidemark")
_PORTS = ("KAFKA", "CONTROLLER", "THRIFT", "CONNECT", "AIRFLOW", "STREAMS", "REGISTRY", "REDIS")
_STARTS_WITHIN = 120.0
_MIB = 2**20


@dataclass
class Quarter:
    """What was seen in a quarter of the time."""

    batches: dict[tuple[str, int], float] = field(default_factory=dict)  # seconds, by stream and number
    memory: int = 0
    checkpoints: int = 0
    behind: int = 0


class Lakehouse:
    """The streams and what they need, in a home and on ports of their own."""

    def __init__(self, home: Path) -> None:
        ports = {f"TIDEMARK_{name}_PORT": port for name, port in zip(_PORTS, free_ports(len(_PORTS)), strict=True)}
        self.settings = Settings.model_validate({"home": home, **ports})
        own = {"TIDEMARK_HOME": str(home), **{name: str(port) for name, port in ports.items()}}
        self._environment = os.environ | own

    def run(self, *words: str) -> None:
        """Run a command of ours; what it says goes to the terminal."""
        subprocess.run([_TIDEMARK, *words], env=self._environment, check=True)

    @contextmanager
    def load(self, rate: int, seconds: int) -> Iterator[None]:
        """Send records to every topic while the block runs."""
        with ExitStack() as held:
            for contract, share in SHARES.items():
                words = ("produce", contract, "--rate", str(round(rate * share)), "--for", str(seconds), "--json")
                nowhere = subprocess.DEVNULL
                held.enter_context(
                    subprocess.Popen([_TIDEMARK, *words], env=self._environment, stdout=nowhere, stderr=nowhere)
                )
            yield

    def streams(self) -> list[dict[str, Any]]:
        """Give what each stream says of itself; nothing, where they do not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.streams_port}/streams", timeout=5) as answer:
                found: list[dict[str, Any]] = json.load(answer)
        except OSError:
            return []
        return found

    def process(self) -> psutil.Process:
        """Give the streams' process."""
        status = json.loads(subprocess.check_output([_TIDEMARK, "status", "--json"], env=self._environment))
        return psutil.Process(next(each["pid"] for each in status["services"] if each["name"] == "streams"))

    def look(self, quarter: Quarter, process: psutil.Process) -> None:
        """Note what is seen now."""
        for each in self.streams():
            if each["batch_seconds"] is not None:
                quarter.batches[each["name"], each["batch"]] = each["batch_seconds"]
        tree = [process, *process.children(recursive=True)]
        quarter.memory = max(quarter.memory, sum(each.memory_info().rss for each in tree))
        files = (path for path in (self.settings.home / "checkpoints").rglob("*") if path.is_file())
        quarter.checkpoints = sum(_size(path) for path in files)
        quarter.behind = sum(each["behind"] or 0 for each in self.streams())


def main() -> None:
    """Load, look, kill, and print."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name, ExitStack() as held:
        lakehouse = Lakehouse(Path(name) / "home")
        held.callback(lakehouse.run, "down")
        lakehouse.run("up", "streams")
        quarters = _loaded(lakehouse, arguments.rate, arguments.minutes * 60)
        restart = _restarted(lakehouse)
    _print(arguments.rate, quarters, restart)


def _loaded(lakehouse: Lakehouse, rate: int, seconds: int) -> list[Quarter]:
    quarters = [Quarter() for _ in range(4)]
    process, began = lakehouse.process(), time.monotonic()
    with lakehouse.load(rate, seconds):
        while (elapsed := time.monotonic() - began) < seconds:
            lakehouse.look(quarters[int(4 * elapsed / seconds)], process)
            time.sleep(0.5)
    return quarters


def _restarted(lakehouse: Lakehouse) -> float:
    """Kill the streams under load; give the seconds until each has done a micro-batch again."""
    process = lakehouse.process()
    with lakehouse.load(500, 60):
        for each in process.children(recursive=True):
            each.kill()
        process.kill()
        process.wait(30)
        began = time.monotonic()
        while not _all_go_on(lakehouse.streams()):
            if time.monotonic() - began > _STARTS_WITHIN:
                raise SystemExit(f"not every stream goes on: {lakehouse.streams()}")
            time.sleep(0.2)
        return time.monotonic() - began


def _all_go_on(streams: Sequence[dict[str, Any]]) -> bool:
    return bool(streams) and all(each["state"] == "running" and each["batch_seconds"] is not None for each in streams)


def _print(rate: int, quarters: Sequence[Quarter], restart: float) -> None:
    print(f"{rate:,} records a second over {len(SHARES)} topics; every stream goes on {restart:.1f} s after a kill")
    print("| quarter | batches | p50 s | p95 s | longest s | memory MiB | checkpoints MiB | offsets behind |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for number, each in enumerate(quarters, 1):
        cuts = quantiles(each.batches.values(), n=20)
        times = f"{cuts[9]:.2f} | {cuts[18]:.2f} | {max(each.batches.values()):.2f}"
        sizes = f"{each.memory / _MIB:,.0f} | {each.checkpoints / _MIB:,.0f} | {each.behind:,}"
        print(f"| {number} | {len(each.batches):,} | {times} | {sizes} |")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # a stream has just removed it
        return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--rate", type=int, default=5000, help="records a second, over all topics")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--folder", default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
