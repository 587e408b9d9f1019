"""Compact a bronze table: `python -m streaming.batch.compact <contract> [--date D] [--max-bytes N] [--json]`

Small files of closed days become few; a day that is still written is touched only when it is crowded. OPTIMIZE
changes no data, so the streams neither wait for it nor fail by it. That is checked: the files that it removed and
those that it added must hold the same rows, column by column.
"""

import argparse
import json
import uuid
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import partial
from statistics import median
from typing import Any

from deltalake import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random

from streaming.batch.jobs import finish, known_contract, parser, table_or_exit, upkeep_lock
from streaming.session import batch_session
from tidemark import bronze
from tidemark.ledger import Ledger
from tidemark.maintenance import NotNeutral, recorded
from tidemark.names import quoted
from tidemark.rewrites import rewrites_of
from tidemark.settings import Settings

SMALL_BYTES = 64 * 1024 * 1024  # the sizes of OPTIMIZE in streaming.session: what it wrote it leaves alone
CROWDED_FILES = 100  # so many of 20 kB, joined twice, are larger than what is small: a byte is rewritten twice at most

_TIER = 4  # a file of today is small up to so many times the median: what was joined before is not joined at once again
MOST_BYTES = 2 * 1024**3  # a run

_TRIES = 6
_LONGEST_PAUSE = 4.0  # seconds


@dataclass(frozen=True)
class Day:
    """One partition of a bronze table: its files, and how many of them are small."""

    day: date
    files: int
    small: int
    bytes: int
    records: int
    small_bytes: int = 0
    limit: int = SMALL_BYTES  # a smaller file is small


@dataclass(frozen=True)
class Compacted:
    """What a run has compacted: each day before and after, and the days that are left for the next run."""

    days: Sequence[tuple[Day, Day]]
    left: Sequence[date]
    checked: int  # rows that were compared before and after

    def as_json(self) -> dict[str, Any]:
        """Give it in plain types."""
        return {
            "days": [{"before": asdict(old), "after": asdict(new)} for old, new in self.days],
            "left": list(map(str, self.left)),
            "checked": self.checked,
        }


def main() -> None:
    """Compact what is due, or the day that was named."""
    arguments = _arguments()
    settings = Settings.load()
    contract = known_contract(settings, arguments.contract)
    path = table_or_exit(settings, contract)
    with upkeep_lock(settings, contract), recorded(settings, contract.id) as run:
        done = compacted(settings, path, arguments.date, arguments.max_bytes)
        if done.days:
            run.done["compact"] = done.as_json()
    if arguments.json:
        print(json.dumps({"contract": contract.id, **done.as_json()}, default=str))
    else:
        _show(contract.id, done)


def compacted(settings: Settings, path: str, wanted: date | None = None, most_bytes: int = MOST_BYTES) -> Compacted:
    """Compact what is due, the oldest days first.

    Raises:
        NotNeutral: a file that OPTIMIZE wrote does not hold what those hold whose place it takes.
    """
    today = datetime.now(UTC).date()
    growing = {today} - {wanted}
    before = days(path, growing)
    chosen, left = within(due(before.values(), today, wanted), before, most_bytes)
    checked = optimize(settings, path, [before[day] for day in chosen]) if chosen else 0
    after = days(path, growing)
    return Compacted([(before[day], after[day]) for day in chosen], left, checked)


def days(path: str, growing: Container[date] = ()) -> dict[date, Day]:
    """Read from the log how many files each day has.

    Args:
        growing: days that get more files: in them only files of like size are small.
    """
    actions = DeltaTable(path).get_add_actions(flatten=True)
    files: dict[date, list[tuple[int, int]]] = {}
    columns = (f"partition.{bronze.INGEST_DATE}", "size_bytes", "num_records")
    for day, size, records in zip(*(actions.column(name).to_pylist() for name in columns), strict=True):
        files.setdefault(day, []).append((size, records or 0))
    return {day: measured(day, found, day in growing) for day, found in files.items()}


def measured(day: date, files: Sequence[tuple[int, int]], is_growing: bool) -> Day:
    """Sum up a day's files, each given by its bytes and records."""
    sizes = [size for size, _ in files]
    below = [size for size in sizes if size < SMALL_BYTES]
    limit = min(SMALL_BYTES, _TIER * int(median(below))) if is_growing and below else SMALL_BYTES
    small = [size for size in sizes if size < limit]
    return Day(day, len(files), len(small), sum(sizes), sum(records for _, records in files), sum(small), limit)


def due(found: Iterable[Day], today: date, wanted: date | None) -> list[date]:
    """Choose the days to compact: the one that was named, else closed days with small files and a crowded today."""
    if wanted is not None:
        return [day.day for day in found if day.day == wanted and day.small > 1]
    return sorted(day.day for day in found if day.small > (1 if day.day < today else CROWDED_FILES))


def within(chosen: Sequence[date], found: Mapping[date, Day], most_bytes: int) -> tuple[list[date], list[date]]:
    """Take days until their small files have so many bytes, the first always; give those taken and those left."""
    taken, total = 0, 0
    for day in chosen:
        total += found[day].small_bytes
        if taken and total > most_bytes:
            break
        taken += 1
    return list(chosen[:taken]), list(chosen[taken:])


def optimize(settings: Settings, path: str, chosen: Iterable[Day]) -> int:
    """Run OPTIMIZE on the chosen days, one commit each, so that a long run shows and keeps its progress.

    Gives how many rows were compared before and after.

    Raises:
        NotNeutral: it changed what a day holds.
    """
    checked = 0
    with batch_session(settings) as spark:
        for day in chosen:
            since, mark = Ledger(path).latest_version(), json.dumps({"kind": "compact", "run": str(uuid.uuid4())})
            of_day = f"{quoted(bronze.INGEST_DATE)} = DATE'{day.day.isoformat()}'"
            spark.conf.set("spark.databricks.delta.optimize.minFileSize", str(day.limit))
            with _marked(spark, mark):
                _insist(partial(_run, spark, f"OPTIMIZE {quoted('delta', path)} WHERE {of_day}"))
            checked += refuse_change(path, mark, since)
            Console(stderr=True).print(f"compacted {day.day}")
    return checked


def refuse_change(path: str, mark: str, since: int) -> int:
    """Compare what the marked commits after a version removed with what they added; count the rows.

    Raises:
        NotNeutral: they differ.
    """
    rows = 0
    for rewrite in rewrites_of(path, mark, since):
        rows += rewrite.rows
        if not rewrite.is_neutral:
            raise NotNeutral(
                f"{path}: version {rewrite.version} compacted {rewrite.rows} rows, and what it wrote is not the same: "
                f"{rewrite.removed} before, {rewrite.added} after",
                "docs/runbooks/compaction-not-neutral.md; the version before it still has all rows",
            )
    return rows


def _run(spark: SparkSession, statement: str) -> None:
    spark.sql(statement).collect()


def _insist(act: Callable[[], object]) -> None:
    """Try again where another writer was quicker, a few times."""
    for attempt in Retrying(
        retry=retry_if_exception(is_concurrent),
        wait=wait_random(0, _LONGEST_PAUSE),  # two that met would meet again
        stop=stop_after_attempt(_TRIES),
        reraise=True,
    ):
        with attempt:
            act()


def is_concurrent(error: BaseException) -> bool:
    """Tell whether a statement failed only because another writer was quicker."""
    return isinstance(error, PySparkException | Py4JJavaError) and "DELTA_CONCURRENT" in str(error)


@contextmanager
def _marked(spark: SparkSession, mark: str) -> Iterator[None]:
    key = "spark.databricks.delta.commitInfo.userMetadata"
    spark.conf.set(key, mark)
    try:
        yield
    finally:
        spark.conf.unset(key)  # else it would be on the session's next commit too


def _show(contract: str, done: Compacted) -> None:
    if not done.days:
        print(f"{contract}: nothing to compact")
        return
    table = Table("day", "files before", "files after", "rows", "MB", title=f"compacted bronze.{contract}")
    for old, new in done.days:
        size = f"{new.bytes / 1e6:.1f}"
        table.add_row(str(old.day), str(old.files), str(new.files), str(new.records), size)
    Console().print(table)
    if done.left:
        print(f"left for the next run: {', '.join(map(str, done.left))}")


def _arguments() -> argparse.Namespace:
    words = parser("compact", __doc__)
    words.add_argument("--date", type=date.fromisoformat)
    words.add_argument("--max-bytes", type=int, default=MOST_BYTES)
    return words.parse_args()


if __name__ == "__main__":
    finish(main)
