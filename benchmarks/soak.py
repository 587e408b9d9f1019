"""A steady load, a fault every five minutes, and at the end a proof. `python -m benchmarks.soak`

Ends with 1 unless every record that was sent is proven, and memory, files of bronze and files of checkpoints stayed as
they were: the last quarter is compared with the second, by when streams and Kafka have been killed once.

What is in checkpoints grows with what the streams remember, until their longest windows are full. So bytes of
checkpoints are judged by a soak of 100 minutes or more: its last quarter is compared with the third.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median

import psutil
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from benchmarks.lakehouse import MIB, SHARES, Lakehouse, arguments_of, kill, streaming
from tidemark.contracts import BRONZE
from tidemark.status import memory_of

FAULT_SECONDS = 300
LOOK_SECONDS = 10

_GROWTH = 1.25
# Crowded is a day of 100 files. A stream keeps ten to twenty batches, each of a dozen files where it has state.
_SLACK = {"memory": 200 * MIB, "files": 100 * len(SHARES), "checkpoint_files": 500}
_BYTES_SLACK = 50 * MIB
_FULL_MINUTES = 50  # a session is open for 30 minutes, its watermark is 10 behind, and then what it held is compacted


@dataclass
class Quarter:
    """What was seen in a quarter of the time; each look is an entry."""

    memory: list[int] = field(default_factory=list)  # bytes
    files: list[int] = field(default_factory=list)  # of all bronze tables
    checkpoint_files: list[int] = field(default_factory=list)
    checkpoints: list[int] = field(default_factory=list)  # bytes
    state: list[float] = field(default_factory=list)  # rows
    behind: list[int] = field(default_factory=list)  # offsets
    faults: list[str] = field(default_factory=list)


def main() -> None:
    """Load, break, look, prove and print."""
    arguments = arguments_of("soak", __doc__, rate=2000, minutes=30)
    with streaming(arguments) as lakehouse:
        lakehouse.run("up", "warehouse")  # or each upkeep would start a Spark of its own
        quarters, unsent = _soaked(lakehouse, arguments.rate, arguments.minutes * 60)
        proofs = lakehouse.told("prove", *SHARES, "--wait", "300", "--json")
    proven = {proof["contract"]: proof for proof in map(json.loads, proofs.splitlines())}
    bad = [f"{name}: {proven.get(name, {}).get('verdict')}" for name in SHARES if not _is_proven(proven.get(name))]
    bad += [f"{name}: sending ended with an error" for name in unsent]
    grown = _growth(quarters, arguments.minutes)
    bad += [f"{what}: grew from {before:,.0f} to {after:,.0f}" for what, before, after in grown]
    offsets = sum(int(proof["landed_once"]) for proof in proven.values())
    _print(arguments, quarters, f"{offsets:,} offsets of {len(proven)} topics landed once")
    sys.exit("\n".join(bad) if bad else 0)


def _soaked(lakehouse: Lakehouse, rate: int, seconds: int) -> tuple[list[Quarter], list[str]]:
    """Load, and break something every five minutes; give what was seen, and the topics whose sending failed."""
    quarters = [Quarter() for _ in range(4)]
    faults, due = cycle(FAULTS.items()), FAULT_SECONDS / 2
    began = time.monotonic()
    with lakehouse.load(rate, seconds) as senders:
        while (elapsed := time.monotonic() - began) < seconds:
            quarter = quarters[int(4 * elapsed / seconds)]
            if elapsed >= due:
                due += FAULT_SECONDS
                name, fault = next(faults)
                print(f"{elapsed:5.0f} s: {name}", flush=True)
                fault(lakehouse)
                quarter.faults.append(name)
                for contract in SHARES:
                    lakehouse.told("maintain", contract)  # as Airflow does every half hour
            _look(lakehouse, quarter)
            time.sleep(LOOK_SECONDS)
    failed = [name for name, sender in zip(SHARES, senders, strict=True) if sender.returncode]
    return quarters, failed


def _look(lakehouse: Lakehouse, quarter: Quarter) -> None:
    with suppress(psutil.Error, OSError):  # it is just being started anew
        quarter.memory.append(memory_of(lakehouse.process()))
    quarter.files.append(sum(_files(lakehouse.settings.table("bronze", name)) for name in SHARES))
    quarter.checkpoint_files.append(lakehouse.checkpoint_files())
    quarter.checkpoints.append(lakehouse.checkpoint_bytes())
    rows = lakehouse.state_rows()
    quarter.state += [] if rows is None else [rows]
    quarter.behind.append(lakehouse.lag())


def _files(table: str) -> int:
    try:
        return len(DeltaTable(table).file_uris())
    except TableNotFoundError:
        return 0


def _kill(service: str) -> Callable[[Lakehouse], None]:
    return lambda lakehouse: kill(lakehouse.process(service))


def _kill_java(lakehouse: Lakehouse) -> None:
    for each in lakehouse.process().children(recursive=True):
        if each.name() == "java":
            each.kill()


def _lose_checkpoint(lakehouse: Lakehouse) -> None:
    """Remove a checkpoint while nobody uses it: the streams take longer to come back than this takes."""
    kill(lakehouse.process())
    shutil.rmtree(lakehouse.settings.checkpoint(f"{BRONZE}{next(iter(SHARES))}"))


FAULTS: dict[str, Callable[[Lakehouse], None]] = {
    "the streams are killed": _kill("streams"),
    "Kafka is killed": _kill("kafka"),
    "a checkpoint is lost": _lose_checkpoint,
    "the registry is killed": _kill("registry"),
    "the streams' Java is killed": _kill_java,
    "Redis is killed": _kill("redis"),
}


def _is_proven(proof: dict[str, object] | None) -> bool:
    return proof is not None and proof["verdict"] == "proven"


def _growth(quarters: Sequence[Quarter], minutes: int) -> list[tuple[str, float, float]]:
    """Give what is more in the last quarter than it may be, before and after."""
    _, second, third, last = quarters
    judged = [(what, second, slack) for what, slack in _SLACK.items()]
    if minutes / 2 >= _FULL_MINUTES:
        judged.append(("checkpoints", third, _BYTES_SLACK))
    seen = [(what, median(getattr(before, what)), median(getattr(last, what)), slack) for what, before, slack in judged]
    return [(what, before, after) for what, before, after, slack in seen if after > before * _GROWTH + slack]


def _print(arguments: argparse.Namespace, quarters: Sequence[Quarter], landed: str) -> None:
    print(f"{arguments.minutes} minutes at {arguments.rate:,} records a second over {len(SHARES)} topics: {landed}")
    print("| quarter | faults | memory MiB | bronze files | checkpoint files | MiB | rows of state | offsets behind |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for number, each in enumerate(quarters, 1):
        known = (median(each.memory) / MIB, median(each.files), median(each.checkpoint_files))
        more = (median(each.checkpoints) / MIB, median(each.state or [0]), max(each.behind, default=0))
        print(f"| {number} | {', '.join(each.faults)} | {' | '.join(f'{value:,.0f}' for value in (*known, *more))} |")
    if arguments.minutes / 2 < _FULL_MINUTES:
        print("windows were not full yet: bytes of checkpoints were not judged; make soak MINUTES=100 judges them")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {error}")
