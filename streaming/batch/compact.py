"""Compact a bronze table: `python -m streaming.batch.compact <contract> [--date D] [--json]`

Small files of closed days become few; a day that is still written is touched only when it is crowded. OPTIMIZE
changes no data, so the streams neither wait for it nor fail by it.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime

from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table

from streaming.batch.jobs import finish, job_lock, known_contract, table_or_exit
from streaming.session import batch_session
from tidemark import bronze
from tidemark.errors import TidemarkError
from tidemark.names import quoted
from tidemark.settings import Settings

SMALL_BYTES = 64 * 1024 * 1024  # the sizes of OPTIMIZE in streaming.session: what it wrote it leaves alone
CROWDED_FILES = 50


@dataclass(frozen=True)
class Day:
    """One partition of a bronze table: its files, and how many of them are small."""

    day: date
    files: int
    small: int
    bytes: int
    records: int


def main() -> None:
    """Compact what is due, or the day that was named."""
    arguments = _arguments()
    settings = Settings.load()
    contract = known_contract(settings, arguments.contract)
    path = table_or_exit(settings, contract)
    with job_lock(settings, contract):
        before = days(path)
        chosen = due(before.values(), datetime.now(UTC).date(), arguments.date)
        if chosen:
            optimize(settings, path, chosen)
        after = days(path)
    for day in chosen:
        _unchanged(before[day], after[day])
    _report(contract.id, [(before[day], after[day]) for day in chosen], arguments.json)


def days(path: str) -> dict[date, Day]:
    """Read from the log how many files each day has."""
    actions = DeltaTable(path).get_add_actions(flatten=True)
    found: dict[date, Day] = {}
    columns = (f"partition.{bronze.INGEST_DATE}", "size_bytes", "num_records")
    for day, size, records in zip(*(actions.column(name).to_pylist() for name in columns), strict=True):
        old = found.get(day, Day(day, 0, 0, 0, 0))
        small = old.small + (size < SMALL_BYTES)
        found[day] = Day(day, old.files + 1, small, old.bytes + size, old.records + (records or 0))
    return found


def due(found: Iterable[Day], today: date, wanted: date | None) -> list[date]:
    """Choose the days to compact: the one that was named, else closed days with small files and a crowded today."""
    if wanted is not None:
        return [day.day for day in found if day.day == wanted and day.small > 1]
    return sorted(day.day for day in found if day.small > (1 if day.day < today else CROWDED_FILES))


def optimize(settings: Settings, path: str, chosen: Iterable[date]) -> None:
    """Run OPTIMIZE on the chosen days, one commit each, so that a long run shows and keeps its progress."""
    spark = batch_session(settings)
    try:
        for day in chosen:
            spark.sql(f"OPTIMIZE {quoted('delta', path)} WHERE {quoted(bronze.INGEST_DATE)} = DATE'{day.isoformat()}'")
            Console(stderr=True).print(f"compacted {day}")
    finally:
        spark.stop()


def _unchanged(before: Day, after: Day) -> None:
    # A day that is still written may have grown; it can't have shrunk.
    if after.records < before.records:
        raise TidemarkError(
            f"{before.day}: {before.records} rows before, {after.records} after: compaction lost rows",
            "keep the table as it is, and look at its history: DESCRIBE HISTORY",
        )


def _report(contract: str, compacted: list[tuple[Day, Day]], as_json: bool) -> None:
    if as_json:
        rows = [{"before": asdict(old), "after": asdict(new)} for old, new in compacted]
        print(json.dumps({"contract": contract, "days": rows}, default=str))
        return
    if not compacted:
        print(f"{contract}: nothing to compact")
        return
    table = Table("day", "files before", "files after", "rows", "MB", title=f"compacted bronze.{contract}")
    for old, new in compacted:
        size = f"{new.bytes / 1e6:.1f}"
        table.add_row(str(old.day), str(old.files), str(new.files), str(new.records), size)
    Console().print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tidemark compact", description=__doc__)
    parser.add_argument("contract")
    parser.add_argument("--date", type=date.fromisoformat)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    finish(main)
