"""A speed layer's Delta table: the newest state of each key, written once for each micro-batch that changes something.

It is written without Spark: a micro-batch has few rows, and merging them by Spark takes twenty times as long (ADR 8).
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable, Schema, write_deltalake

from tidemark.names import quoted_ansi

UPDATED_AT = "updated_at"

Announce = Callable[[pa.Table], None]
Numbers = npt.NDArray[np.int64]
Completed = Callable[[pa.Table, pa.Table], pa.Table]

_HOUR = timedelta(hours=1)
_SMALL = 20_000  # rows of an hour that are written again rather than left in many small files
_PROPERTIES = {"delta.checkpointInterval": "100", "delta.logRetentionDuration": "interval 1 days"}


class SpeedTable:
    """One table. A file of it has rows of one hour: only the hours that a micro-batch has rows of are read or written.

    Args:
        key: what names a row.
        event_time: the column that says which hour a row is of: never null, and the same for a key for ever.
        completed: makes the table's rows of those to be upserted and those that the table has of the same hour; none:
            they are.
    """

    def __init__(self, path: str, key: tuple[str, ...], event_time: str, completed: Completed | None = None) -> None:
        self._path = path
        self._key = key
        self._event_time = event_time
        self._completed = completed
        self._delta: DeltaTable | None = None

    def create(self, schema: pa.Schema) -> None:
        """Create the table where there is none; add the columns that it lacks."""
        self._delta = created(self._path, schema)

    def newest(self, column: str = "") -> datetime | None:
        """Give the newest event time of all rows, or the newest time of another column."""
        times = self._opened().to_pyarrow_dataset().to_table(columns=[column or self._event_time])[0]
        newest: datetime | None = pc.max(times).as_py()
        return newest

    def upsert(self, rows: pa.Table, announce: Announce = lambda changed: None) -> None:
        """Insert rows, or replace those with the same key that differ; where nothing does, nothing is committed.

        Each hour is a commit, and a repeat of it changes nothing.

        Args:
            rows: one for each key.
            announce: is given the rows that are new or differ, before they are written: told twice rather than never.
        """
        hours = pc.floor_temporal(rows[self._event_time], unit="hour")
        for hour in pc.unique(hours):
            self._upsert_hour(rows.filter(pc.equal(hours, hour)), hour.as_py(), announce)

    def _upsert_hour(self, rows: pa.Table, hour: datetime, announce: Announce) -> None:
        table = self._opened()
        time = ds.field(self._event_time)
        there = table.to_pyarrow_dataset().to_table(filter=(time >= hour) & (time < hour + _HOUR))
        rows = self._completed(rows, there) if self._completed else rows
        pairs = _pairs(rows, there, self._key)
        replaced, equal = _compared(rows, there, pairs, self._key)
        landing = _without(rows, equal)
        if len(landing):
            announce(landing)
        if len(replaced) or (0 < len(there) < _SMALL and len(landing)):
            whole = pa.concat_tables([_without(there, replaced), landing], promote_options="default")
            at = quoted_ansi(self._event_time)
            within = f"{at} >= '{_text(hour)}' AND {at} < '{_text(hour + _HOUR)}'"
            write_deltalake(table, whole, mode="overwrite", predicate=within)
        elif len(landing):
            write_deltalake(table, landing, mode="append")

    def _opened(self) -> DeltaTable:
        if self._delta is None:
            self._delta = DeltaTable(self._path)
        self._delta.update_incremental()
        return self._delta


def created(path: str, schema: pa.Schema) -> DeltaTable:
    """Create a table where there is none; add the columns that it lacks."""
    fields = Schema.from_arrow(schema)
    table = DeltaTable.create(path, fields, mode="ignore", configuration=_PROPERTIES)
    present = {field.name for field in table.schema().fields}
    lacking = [field for field in fields.fields if field.name not in present]
    if lacking:
        table.alter.add_columns(lacking)
    return table


def _pairs(rows: pa.Table, there: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Give the row numbers of each key that both have, as `new` and `old`; a null in a key is equal to another."""
    numbered = [
        rows.select(key).append_column("new", pa.array(np.arange(len(rows)))),
        there.select(key).append_column("old", pa.array(np.arange(len(there)))),
    ]
    keys = pa.concat_tables(numbered, promote_options="default")
    numbers = keys.group_by(list(key)).aggregate([("new", "max"), ("old", "max")]).select(["new_max", "old_max"])
    return numbers.rename_columns(["new", "old"]).drop_null()


def _compared(rows: pa.Table, there: pa.Table, pairs: pa.Table, key: tuple[str, ...]) -> tuple[Numbers, Numbers]:
    """Give the numbers of the old rows that differ from their new ones, and of the new rows that are equal."""
    new, old = rows.take(pairs["new"]), there.take(pairs["old"])
    compared = [name for name in rows.column_names if name not in (*key, UPDATED_AT)]
    equal = np.all([np.ones(len(pairs), dtype=bool), *(_equal(new[name], old[name]) for name in compared)], axis=0)
    return pairs["old"].to_numpy()[~equal], pairs["new"].to_numpy()[equal]


def _equal(new: pa.ChunkedArray, old: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Compare two columns; two nulls are equal. Arrow itself doesn't compare lists and structs."""
    if pa.types.is_nested(new.type):
        pairs = zip(new.to_pylist(), old.to_pylist(), strict=True)
        return np.array([one == other for one, other in pairs], dtype=bool)
    both_null = pc.and_(pc.is_null(new), pc.is_null(old))
    equal: npt.NDArray[np.bool_] = pc.or_(both_null, pc.fill_null(pc.equal(new, old), False)).to_numpy()
    return equal


def _without(table: pa.Table, numbers: Numbers) -> pa.Table:
    """Leave out the rows of these numbers."""
    kept = np.ones(len(table), dtype=bool)
    kept[numbers] = False
    return table.filter(pa.array(kept))


def _text(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
