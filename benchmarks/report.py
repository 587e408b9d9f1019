"""Turn measurements into the page that is checked in."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
import psutil


@dataclass(frozen=True)
class Pass:
    """One pass over a whole topic."""

    seconds: float
    cpu_seconds: float
    records: int
    files: int

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.seconds

    @property
    def per_cpu(self) -> float:
        """Records per CPU-second."""
        return self.records / self.cpu_seconds


@dataclass(frozen=True)
class Latency:
    """Seconds from event to commit, and the cores in use meanwhile."""

    p50: float
    p95: float
    p99: float
    cores: float

    @classmethod
    def of(cls, seconds: np.ndarray, cores: float) -> "Latency":
        """Take the percentiles."""
        return cls(*(float(each) for each in np.percentile(seconds, (50, 95, 99))), cores)


def written(
    path: Path,
    records: int,
    passes: Mapping[str, Sequence[Pass]],
    late: Mapping[str, Sequence[Latency]],
    memory: Mapping[str, float],
) -> None:
    """Write the report and print it."""
    text = "\n".join(
        [*_head(records), *_throughput(passes, memory), "", *_latency(late), "", *_ratios(passes, late), ""]
    )
    path.write_text(text, encoding="utf-8")
    print(text)


def page(path: Path, title: str, command: str, lines: Sequence[str]) -> None:
    """Write a page of measurements, with what they were taken by and on, and print it."""
    text = "\n".join([f"# {title}", "", f"`{command}` on {_today()}; {_machine()}.", "", *lines, ""])
    path.write_text(text, encoding="utf-8")
    print(text)


def _head(records: int) -> list[str]:
    return [
        "# Ingest, side by side",
        "",
        f"`make bench` on {_today()}; {_machine()}; {records:,} ride events of about 127 bytes,",
        "1 % bad; medians of warm passes taken in turns. CPU: driver, Python and workers together.",
        "",
    ]


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _machine() -> str:
    return f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.system()}"


def _throughput(passes: Mapping[str, Sequence[Pass]], memory: Mapping[str, float]) -> list[str]:
    lines = ["| | records/s | per CPU-second | files | peak memory, GB |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, each in passes.items():
        rate, per_cpu = median(one.rate for one in each), median(one.per_cpu for one in each)
        files = median(one.files for one in each)
        lines.append(f"| {name} | {rate:,.0f} | {per_cpu:,.0f} | {files:.0f} | {memory[name]:.1f} |")
    return lines


def _latency(late: Mapping[str, Sequence[Latency]]) -> list[str]:
    lines = [
        "| event → commit at 1,000 records/s | p50, s | p95, s | p99, s | cores in use |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, each in late.items():
        middle = (median(getattr(one, field) for one in each) for field in ("p50", "p95", "p99", "cores"))
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in middle) + " |")
    return lines


def _ratios(passes: Mapping[str, Sequence[Pass]], late: Mapping[str, Sequence[Latency]]) -> list[str]:
    cpu = {name: median(one.per_cpu for one in each) for name, each in passes.items()}
    p50 = {name: median(one.p50 for one in each) for name, each in late.items()}
    throughput = f"{cpu['tidemark'] / cpu['tutorial']:.1f}x the tutorial's, {cpu['tidemark'] / cpu['ceiling']:.2f} of"
    latency = f"1/{p50['tutorial'] / p50['tidemark']:.0f} of the tutorial's"
    avro = f"Avro: {cpu['tidemark-avro'] / cpu['tidemark']:.2f} of JSON's per CPU-second."
    return [f"Throughput per CPU-second: {throughput} the ceiling's. {avro} Median latency: {latency}."]
