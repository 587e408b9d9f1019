"""How much a table holds or got, day by day, and how much is held back of it: read without an engine."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from tidemark.bronze import ERRORS, INGEST_DATE

_BAND = (0.7, 1.3)  # of the middle of the days before
_DAYS_FOR_A_BAND = 3


@dataclass(frozen=True)
class Volume:
    """Rows of each day, and between which bounds the newest whole one is expected."""

    days: Mapping[date, int]
    expected: tuple[int, int] | None  # None: too few days to expect anything


@dataclass(frozen=True)
class HeldBack:
    """Quarantined rows of each day and reason."""

    days: Mapping[date, Mapping[str, int]]

    @property
    def rows(self) -> int:
        """All of them; a row with two reasons counts for both."""
        return sum(sum(reasons.values()) for reasons in self.days.values())


def ingested(path: str, since: date) -> dict[date, int]:
    """Count a bronze table's rows by their day of ingest, from what its log says of each file."""
    files = DeltaTable(path).get_add_actions(flatten=True)
    days: list[Any] = list(files.column(f"partition.{INGEST_DATE}").to_pylist()) if files.num_rows else []
    found = Counter[date]()
    for day, rows in zip(days, files.column("num_records").to_pylist(), strict=True) if days else ():
        if _as_date(day) >= since:
            found[_as_date(day)] += rows or 0
    return dict(sorted(found.items()))


def held_back(path: str, since: date) -> HeldBack:
    """Count a bronze table's quarantined rows by their day of ingest and reason."""
    found: dict[date, Counter[str]] = {}
    rows = DeltaTable(path).to_pyarrow_dataset()
    for batch in rows.to_batches(columns=[ERRORS, INGEST_DATE], filter=ds.field(INGEST_DATE) >= since):
        errors = batch.column(batch.schema.get_field_index(ERRORS))
        for row in batch.filter(pc.greater(pc.fill_null(pc.list_value_length(errors), 0), 0)).to_pylist():
            found.setdefault(row[INGEST_DATE], Counter()).update(row[ERRORS])
    return HeldBack({day: dict(reasons.most_common()) for day, reasons in sorted(found.items())})


def expected_volume(days: Mapping[date, int], today: date) -> Volume:
    """Expect of a day about what the days before it had; today is not over, and no measure."""
    whole = [rows for day, rows in days.items() if day < today]
    if len(whole) <= _DAYS_FOR_A_BAND:
        return Volume(days, None)
    middle = median(whole[:-1])
    return Volume(days, (round(middle * _BAND[0]), round(middle * _BAND[1])))


def days_until(today: date, count: int) -> Sequence[date]:
    """List the newest days, the oldest first."""
    return [today - timedelta(days=ago) for ago in reversed(range(count))]


def _as_date(day: Any) -> date:
    if isinstance(day, datetime):
        return day.date()
    return day if isinstance(day, date) else date.fromisoformat(str(day))
