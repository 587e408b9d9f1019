"""A speed layer's Delta table: the newest state of each key, written once for each micro-batch that changes something.

It is written without Spark: a micro-batch has few rows, and merging them by Spark takes twenty times as long (ADR 8).
A batch job puts final rows in the place of the stream's; each hour's read and write is under the table's lock.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Schema, Transaction, write_deltalake

from streaming.row_comparison import Compared, compared, one_of_each, paired, without
from tidemark.leases import Fence
from tidemark.locks import exclusive
from tidemark.names import quoted_ansi

UPDATED_AT = "updated_at"
IS_FINAL = "is_final"

Announce = Callable[[pa.Table], None]
Completed = Callable[[pa.Table, pa.Table], pa.Table]

_HOUR = timedelta(hours=1)
_SMALL = 20_000  # rows of an hour that are written again rather than left in many small files
_LOCK_SECONDS = 60.0
_PROPERTIES = {"delta.checkpointInterval": "100", "delta.logRetentionDuration": "interval 1 days"}


class SpeedTable:
    """One table. A file of it has rows of one hour: only the hours that a micro-batch has rows of are read or written.

    Args:
        key: what names a row.
        event_time: the column that says which hour a row is of: never null, and the same for a key for ever.
        completed: makes the table's rows of those to be upserted and those that the table has of the same hour; none:
            they are.
        lock: held while an hour is read and written; none: nobody else writes the table.
    """

    def __init__(
        self,
        path: str,
        key: tuple[str, ...],
        event_time: str,
        completed: Completed | None = None,
        lock: Path | None = None,
    ) -> None:
        self._path = path
        self._key = key
        self._event_time = event_time
        self._completed = completed
        self._lock = lock
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

        A row that is final stays as it is. Each hour is a commit, and a repeat of it changes nothing.

        Args:
            rows: one for each key.
            announce: is given the rows that are new or differ, before they are written: told twice rather than never.

        Raises:
            LockHeld: another process does not let an hour go.
        """
        hours = pc.floor_temporal(rows[self._event_time], unit="hour")
        for hour in pc.unique(hours):
            with self._held():
                self._upsert_hour(rows.filter(pc.equal(hours, hour)), hour.as_py(), announce)

    def compare_hour(self, rows: pa.Table | None, hour: datetime) -> Compared:
        """Compare all rows that an hour should have with those that the table has, whenever they were written.

        Args:
            rows: one for each key, or what they are `completed` from; None: there should be none.
        """
        there = self._rows_of(self._opened(), hour)
        return compared(self._final(rows, there), there, self._key, (UPDATED_AT, IS_FINAL))

    def replace_hour(
        self,
        rows: pa.Table | None,
        hour: datetime,
        fence: Callable[[], Fence],
        announce: Callable[[Compared], None] = lambda found: None,
    ) -> Compared:
        """Put final rows in the place of all that an hour has; where nothing differs and all are final, do nothing.

        Args:
            rows: as of `compare_hour`.
            fence: gives what the commit carries; it fails where somebody else has the lease.
            announce: is given what is not as it should be, before it is put right: told twice rather than never.

        Raises:
            LockHeld: another process does not let the hour go.
        """
        with self._held():
            table = self._opened()
            found = self.compare_hour(rows, hour)
            is_final = pc.fill_null(found.equal_before[IS_FINAL], False)
            if found.changes:
                announce(found)
            if found.changes or not pc.all(is_final, min_count=0).as_py():
                equal = [found.equal_before.filter(is_final), found.equal.filter(pc.invert(is_final))]
                whole = pa.concat_tables([*equal, found.missing, found.different], promote_options="default")
                # After the table was opened: Delta then refuses the commit if the lease is taken over from here on.
                ours = fence()
                self._overwrite(table, whole, hour, CommitProperties(app_transactions=[_transaction(ours)]))
        return found

    def _upsert_hour(self, rows: pa.Table, hour: datetime, announce: Announce) -> None:
        table = self._opened()
        there = self._rows_of(table, hour)
        rows = self._completed(rows, there) if self._completed else rows
        found = compared(_provisional(rows, there, self._key), there, self._key, (UPDATED_AT,))
        landing = pa.concat_tables([found.missing, found.different], promote_options="default")
        if len(landing):
            announce(landing)
        if len(found.different) or (0 < len(there) < _SMALL and len(landing)):
            whole = pa.concat_tables([found.extra, found.equal_before, landing], promote_options="default")
            self._overwrite(table, whole, hour)
        elif len(landing):
            write_deltalake(table, landing, mode="append")

    def _rows_of(self, table: DeltaTable, hour: datetime) -> pa.Table:
        time = ds.field(self._event_time)
        return table.to_pyarrow_dataset().to_table(filter=(time >= hour) & (time < hour + _HOUR))

    def _final(self, rows: pa.Table | None, there: pa.Table) -> pa.Table:
        """Make the table's final rows of what was worked out in one go: nothing is completed by what was there."""
        none = there.slice(0, 0)
        if rows is None:
            return none
        rows = stamped(rows, is_final=True)
        rows = self._completed(rows, none) if self._completed else rows
        schema = pa.schema([field for field in there.schema if field.name in rows.column_names])
        return one_of_each(rows.select(schema.names).cast(schema), self._key)

    def _overwrite(
        self, table: DeltaTable, whole: pa.Table, hour: datetime, properties: CommitProperties | None = None
    ) -> None:
        at = quoted_ansi(self._event_time)
        within = f"{at} >= '{_text(hour)}' AND {at} < '{_text(hour + _HOUR)}'"
        write_deltalake(table, whole, mode="overwrite", predicate=within, commit_properties=properties)

    def _held(self) -> AbstractContextManager[None]:
        if self._lock is None:
            return nullcontext()
        return exclusive(self._lock, f"the write lock of {self._path}", _LOCK_SECONDS)

    def _opened(self) -> DeltaTable:
        if self._delta is None:
            self._delta = DeltaTable(self._path)
        self._delta.update_incremental()
        return self._delta


def stamped(rows: pa.Table, *, is_final: bool) -> pa.Table:
    """Say of rows whether they are final, and that they are of now."""
    now = pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC"))
    for name, value in {IS_FINAL: pa.scalar(is_final), UPDATED_AT: now}.items():
        rows = rows.append_column(name, pa.repeat(value, len(rows)))
    return rows


def created(path: str, schema: pa.Schema) -> DeltaTable:
    """Create a table where there is none; add the columns that it lacks."""
    fields = Schema.from_arrow(schema)
    table = DeltaTable.create(path, fields, mode="ignore", configuration=_PROPERTIES)
    present = {field.name for field in table.schema().fields}
    lacking = [field for field in fields.fields if field.name not in present]
    if lacking:
        table.alter.add_columns(lacking)
    return table


def _provisional(rows: pa.Table, there: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Leave out the rows whose key is final already: a stream that was rebuilt may know less than the batch job did."""
    if IS_FINAL not in there.column_names:
        return rows
    final = there.filter(pc.fill_null(there[IS_FINAL], False))
    return without(rows, paired(rows, final, key)["new"].to_numpy())


def _transaction(fence: Fence) -> Transaction:
    return Transaction(fence.app_id, fence.version)


def _text(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
