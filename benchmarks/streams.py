"""Measure all streams in one driver under a steady load, then how soon they go on after a kill.

`python -m benchmarks.streams`: in a home of its own, started as a person starts it. Batches, memory and checkpoints are
told for each quarter of the time, so that growth shows.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import quantiles

import psutil

from benchmarks.lakehouse import MIB, SHARES, Lakehouse, arguments_of, kill, streaming
from benchmarks.report import page
from tidemark.contracts import BRONZE
from tidemark.settings import ROOT
from tidemark.status import memory_of

_STARTS_WITHIN = 120.0
_LOOK_SECONDS = 10.0


@dataclass
class Quarter:
    """What was seen in a quarter of the time."""

    batches: dict[tuple[str, int], float] = field(default_factory=dict)  # seconds, by stream and number
    memory: int = 0
    checkpoints: int = 0
    behind: int = 0


def main() -> None:
    """Load, look, kill, and print."""
    arguments = arguments_of("streams", __doc__, rate=5000, minutes=10)
    with streaming(arguments) as lakehouse:
        quarters = _loaded(lakehouse, arguments.rate, arguments.minutes * 60)
        restart = _restarted(lakehouse)
    lines = _told(arguments.rate, quarters, restart)
    page(ROOT / "benchmarks" / "streams.md", "All streams in one driver", "python -m benchmarks.streams", lines)


def _loaded(lakehouse: Lakehouse, rate: int, seconds: int) -> list[Quarter]:
    quarters = [Quarter() for _ in range(4)]
    process, began, looked = lakehouse.process(), time.monotonic(), 0.0
    with lakehouse.load(rate, seconds):
        while (elapsed := time.monotonic() - began) < seconds:
            quarter = quarters[int(4 * elapsed / seconds)]
            for each in lakehouse.streams():  # often: of each stream only the newest micro-batch is told
                if each["batch_seconds"] is not None:
                    quarter.batches[each["name"], each["batch"]] = each["batch_seconds"]
            if elapsed - looked >= _LOOK_SECONDS:
                looked = elapsed
                _look(lakehouse, quarter, process)
            time.sleep(0.5)
    return quarters


def _look(lakehouse: Lakehouse, quarter: Quarter, process: psutil.Process) -> None:
    """Note what takes processor time to see."""
    quarter.memory = max(quarter.memory, memory_of(process))
    quarter.checkpoints = lakehouse.checkpoint_bytes()
    quarter.behind = max(quarter.behind, lakehouse.lag())


def _restarted(lakehouse: Lakehouse) -> dict[str, float]:
    """Kill the streams under load; give for each the seconds until it has done a micro-batch again."""
    process = lakehouse.process()
    with lakehouse.load(500, 60):
        kill(process)
        process.wait(30)
        began = time.monotonic()
        done: dict[str, float] = {}
        while len(done) < len(streams := lakehouse.streams()) or not streams:
            elapsed = time.monotonic() - began
            if elapsed > _STARTS_WITHIN:
                raise SystemExit(f"not every stream goes on: {streams}")
            for each in streams:
                if each["state"] == "running" and each["batch_seconds"] is not None:
                    done.setdefault(each["name"], elapsed)
            time.sleep(0.2)
    return done


def _told(rate: int, quarters: Sequence[Quarter], restart: Mapping[str, float]) -> list[str]:
    seconds = sorted(restart.values())
    bronze = max(each for name, each in restart.items() if name.startswith(BRONZE))
    lines = [
        f"{rate:,} records a second over {len(SHARES)} topics.",
        f"After a kill, seconds until a micro-batch is done again: {seconds[0]:.1f} of the first stream,",
        f"{bronze:.1f} of the last of bronze, {seconds[-1]:.1f} of the last of all {len(seconds)}.",
        "",
        "| quarter | batches | p50 s | p95 s | longest s | memory MiB | checkpoints MiB | most offsets behind |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    shown = {str(number): quarter for number, quarter in enumerate(quarters, 1)} | {"all": _whole(quarters)}
    for name, each in shown.items():
        cuts = quantiles(each.batches.values(), n=20)
        times = f"{cuts[9]:.2f} | {cuts[18]:.2f} | {max(each.batches.values()):.2f}"
        sizes = f"{each.memory / MIB:,.0f} | {each.checkpoints / MIB:,.0f} | {each.behind:,}"
        lines.append(f"| {name} | {len(each.batches):,} | {times} | {sizes} |")
    return lines


def _whole(quarters: Sequence[Quarter]) -> Quarter:
    """Put the quarters together: every micro-batch, and the most of what else was seen."""
    whole = Quarter()
    for each in quarters:
        whole.batches |= each.batches
        whole.memory = max(whole.memory, each.memory)
        whole.checkpoints = max(whole.checkpoints, each.checkpoints)
        whole.behind = max(whole.behind, each.behind)
    return whole


if __name__ == "__main__":
    main()
