"""Measure ingest side by side: the tutorial, this project, and the local ceiling. `python -m benchmarks.ingest`

`tidemark-avro` is this project again, with the same events in the Confluent wire format.

Whole-process figures: the CPU of a contestant is that of its driver, its Python and its workers. Contestants take
turns, so that a slow minute of the machine strikes all of them. Quote the medians.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import orjson
import psutil

from benchmarks.load import Encode, fill, steady
from benchmarks.report import Latency, Pass, written
from benchmarks.tables import files_of, latencies
from tests.kafka import running_broker
from tests.registry import running_registry
from tidemark.avro_records import avro_encoder
from tidemark.contracts import read_contracts
from tidemark.registry import Registry
from tidemark.settings import ROOT, Settings
from tidemark.topics import Topics

CONTESTANTS = ("tutorial", "tidemark", "tidemark-avro", "ceiling")
FOLLOWERS = ("tutorial", "tidemark")
TOPICS = {False: "bench", True: "bench_avro"}  # whether it is Avro
MEMORY = "3g"
PARTITIONS = 2
WARM_UP = 2  # passes: the JVM goes on compiling for longer than one
BRONZE = "lake/bronze/ride_events"
TABLES = {"tutorial": "good", "tidemark": BRONZE, "tidemark-avro": BRONZE, "ceiling": "table"}


@dataclass
class Contestant:
    """A running contestant."""

    name: str
    process: subprocess.Popen[str]

    def obey(self, command: str) -> None:
        """Send a command and wait until it is done."""
        self._say.write(command + "\n")
        self._say.flush()
        self.await_line()

    def await_line(self) -> None:
        """Wait for the contestant's word."""
        for line in self._hear:
            if line.strip() in ("ready", "done"):
                return
        raise RuntimeError(f"{self.name} ended with {self.process.wait()}")

    def cpu_seconds(self) -> float:
        """Sum the CPU seconds of its processes."""
        return sum(times.user + times.system for times in (each.cpu_times() for each in self._tree()))

    def peak_memory(self) -> float:
        """Sum the peak resident memory of its processes, in GB."""
        return sum(_peak_kilobytes(each.pid) for each in self._tree()) / 1e6

    def leave(self) -> None:
        """Close the pipe and wait for the end."""
        self._say.close()
        self.process.wait(60)

    @property
    def _say(self) -> IO[str]:
        return cast(IO[str], self.process.stdin)

    @property
    def _hear(self) -> IO[str]:
        return cast(IO[str], self.process.stdout)

    def _tree(self) -> list[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]


def main() -> None:
    """Run every pass and write the report."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        (folder / "kafka").mkdir()
        with ExitStack() as running:
            broker = running.enter_context(running_broker(folder / "kafka"))
            registry = running.enter_context(running_registry(folder / "registry")).url
            _fill(broker.bootstrap, registry, arguments.records)
            contestants = {
                each: running.enter_context(_started(each, broker.bootstrap, registry, folder)) for each in CONTESTANTS
            }
            passes = _throughput(contestants, folder, arguments.records, arguments.passes)
            late = _latency(contestants, broker.bootstrap, folder, arguments.seconds, arguments.passes)
            memory = {each: contestants[each].peak_memory() for each in CONTESTANTS}
    written(ROOT / "benchmarks" / "results.md", arguments.records, passes, late, memory)


def _fill(bootstrap: str, registry: str, records: int) -> None:
    """Produce the same events twice: as JSON, and as Avro with the schema of their contract."""
    own = read_contracts(ROOT / "contracts")["ride_events"].model_copy(update={"format": "avro", "topic": TOPICS[True]})
    Registry(Settings(registry_url=registry)).ensure(own)
    encoders: dict[bool, Encode] = {False: orjson.dumps, True: avro_encoder(own, registry)}
    for is_avro, topic in TOPICS.items():
        Topics(bootstrap).ensure(topic, PARTITIONS)
        fill(bootstrap, topic, records, encode=encoders[is_avro])


def _throughput(contestants: Mapping[str, Contestant], folder: Path, records: int, count: int) -> dict[str, list[Pass]]:
    passes: dict[str, list[Pass]] = {each: [] for each in contestants}
    for number in range(-WARM_UP, count):
        for name, contestant in contestants.items():
            target = folder / f"{name}-{number}"
            cpu, began = contestant.cpu_seconds(), time.monotonic()
            contestant.obey(f"pass {TOPICS[_is_avro(name)]} {target}")
            result = Pass(
                seconds=time.monotonic() - began,
                cpu_seconds=contestant.cpu_seconds() - cpu,
                records=records,
                files=files_of(target / TABLES[name]),
            )
            warm = "" if number >= 0 else " (warm-up, not counted)"
            print(f"{name}: {result.rate:,.0f} records/s, {result.per_cpu:,.0f} per CPU-second{warm}", flush=True)
            if number >= 0:
                passes[name].append(result)
            shutil.rmtree(target)
    return passes


def _latency(
    contestants: Mapping[str, Contestant], bootstrap: str, folder: Path, seconds: int, count: int
) -> dict[str, list[Latency]]:
    late: dict[str, list[Latency]] = {each: [] for each in FOLLOWERS}
    for number in range(count):
        for name in FOLLOWERS:
            topic = f"steady_{name}_{number}"
            Topics(bootstrap).ensure(topic, PARTITIONS)
            target = folder / topic
            os.sync()  # what was written before is not this run's to wait for
            cpu, began = contestants[name].cpu_seconds(), time.monotonic()
            contestants[name].obey(f"follow {topic} {target}")
            steady(bootstrap, topic, rate=1000, seconds=seconds)
            contestants[name].obey("stop")
            cores = (contestants[name].cpu_seconds() - cpu) / (time.monotonic() - began)
            # The first ten seconds are the query's start.
            found = Latency.of(latencies(target / TABLES[name], skip_seconds=10), cores)
            print(
                f"{name}: p50 {found.p50:.2f} s, p95 {found.p95:.2f} s, p99 {found.p99:.2f} s, {found.cores:.2f} cores",
                flush=True,
            )
            late[name].append(found)
    return late


@contextmanager
def _started(name: str, bootstrap: str, registry: str, folder: Path) -> Iterator[Contestant]:
    own = {"BENCH_MEMORY": MEMORY, "BENCH_FOLDER": str(folder / name), "TIDEMARK_REGISTRY_URL": registry}
    environment = os.environ | own | {"BENCH_FORMAT": "avro" if _is_avro(name) else "json"}
    jars = str(Settings.load().jars / "spark")
    command = [sys.executable, "-m", f"benchmarks.contestants.{name.partition('-')[0]}", bootstrap, jars]
    pipe = subprocess.PIPE
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True)
    contestant = Contestant(name, process)
    try:
        contestant.await_line()
        yield contestant
    finally:
        contestant.leave()


def _is_avro(name: str) -> bool:
    return name.endswith("-avro")


def _peak_kilobytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=3_000_000)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60, help="of each latency run")
    parser.add_argument("--folder", type=Path, default=None, help="where temporary files go")
    return parser.parse_args()


if __name__ == "__main__":
    main()
