"""Bronze's side of a comparison: the rows of one version of the table, read without an engine, in bounded memory."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from numpy.typing import NDArray

from tidemark import bronze
from tidemark.errors import TidemarkError
from tidemark.evidence import Hashed
from tidemark.record_hash import HEADERS, NO_TIME, Integers, Records, row_hashes
from tidemark.spans import Layout, Span

# What the columns are read as, however a writer has typed them: some write views, some times without a zone
_POSITION = {bronze.TOPIC: pa.string(), bronze.PARTITION: pa.int64(), bronze.OFFSET: pa.int64()}
_REASONS = {bronze.ERRORS: pa.list_(pa.string())}
_RECORD = {
    bronze.KAFKA_TIME: pa.timestamp("us", "UTC"),
    bronze.KEY: pa.binary(),
    bronze.VALUE: pa.binary(),
    bronze.HEADERS: HEADERS,
}

_DAY = f"partition.{bronze.INGEST_DATE}"  # as the log's statistics name it
_MOST_ROWS = 16_384
_MOST_BYTES = 32 * 1024 * 1024
_DICTIONARY_ROWS = 256  # where each row is a word of a dictionary, its size isn't known before it is read

Bounds = tuple[int, int]  # smallest and largest, both included


@dataclass(frozen=True)
class Positions:
    """Where the rows of a batch come from, and which of them are quarantined."""

    topics: pa.Array
    partitions: Integers  # -1 stands for null
    offsets: Integers  # -1 stands for null
    quarantined: NDArray[np.bool_]


@dataclass(frozen=True)
class _Part:
    """A file or a row group: what its statistics say of the positions in it; None: they don't."""

    partitions: Bounds | None
    offsets: Bounds | None

    def may_have(self, spans: Sequence[Span]) -> bool:
        """Tell whether any position of the spans may be in it."""
        return any(
            _meet(self.partitions, span.partition, span.partition) and _meet(self.offsets, span.start, span.end - 1)
            for span in spans
        )


class PinnedBronze:
    """The rows of one version of a bronze table, or of some of its days of ingest.

    Raises:
        TidemarkError: this version can't be read: files are gone, or it has features that this reader doesn't know.
    """

    def __init__(self, path: str, version: int, topic: str, days: Container[date] | None = None) -> None:
        self.given = 0  # how many rows `rows` has given, of positions inside the spans it was asked for
        self._topic = topic
        self._version = version
        self._path = path
        self._days = days
        self._files = self._listed()

    def rows(self, spans: Sequence[Span]) -> Iterator[Hashed]:
        """Read the topic's rows of some spans."""
        layout = Layout(spans)
        for path in (path for path, part in self._files if part.may_have(spans)):
            for batch in self._batches(path, _POSITION | _RECORD, spans):
                inside = pc.equal(batch[bronze.TOPIC], self._topic).fill_null(False).to_numpy(zero_copy_only=False)
                inside &= layout.inside(*_places(batch))
                rows = batch if inside.all() else batch.filter(pa.array(inside))
                if len(rows):
                    self.given += len(rows)
                    yield _hashed(rows)

    def positions(self, seen: int | None = None) -> Iterator[Positions]:
        """Read where every row comes from.

        Args:
            seen: an earlier version whose rows need no look; files don't change, so those that it had are left out.
        """
        known = _files_of(self._path, seen)
        for path in (path for path, _ in self._files if path not in known):
            for batch in self._batches(path, _POSITION | _REASONS):
                reasons = pc.list_value_length(batch[bronze.ERRORS]).fill_null(0).to_numpy(zero_copy_only=False)
                yield Positions(batch[bronze.TOPIC], *_places(batch), reasons > 0)

    def _listed(self) -> list[tuple[Path, _Part]]:
        try:
            table = DeltaTable(self._path, version=self._version)
            known = table.protocol().min_reader_version
            actions = pa.table(table.get_add_actions(flatten=True))
        except DeltaError as error:
            raise TidemarkError(f"{self._path}: version {self._version} can't be read: {error}") from None
        if known > 1:
            raise TidemarkError(
                f"{self._path}: needs a reader of version {known}, for features that bronze does not have",
                "drop what was added to the table: deletion vectors or column mapping",
            )
        wanted = [f"{bound}.{column}" for column in (bronze.PARTITION, bronze.OFFSET) for bound in ("min", "max")]
        columns = [name for name in ("path", _DAY, *wanted) if name in actions.column_names]
        files = actions.select(columns).to_pylist()
        files = files if self._days is None else [file for file in files if file[_DAY] in self._days]
        return [(Path(self._path) / unquote(file["path"]), _part(*map(file.get, wanted))) for file in files]

    def _batches(
        self, path: Path, columns: Mapping[str, pa.DataType], spans: Sequence[Span] = ()
    ) -> Iterator[pa.RecordBatch]:
        """Read a file's row groups that may have the spans; without spans, all of them."""
        try:
            with pq.ParquetFile(path, buffer_size=1 << 20, coerce_int96_timestamp_unit="us") as file:
                for group in range(file.num_row_groups):
                    chunks = _chunks(file.metadata.row_group(group))
                    if not spans or _group_part(chunks).may_have(spans):
                        rows = _batch_rows(chunks.get(bronze.VALUE)) if bronze.VALUE in columns else _MOST_ROWS
                        for batch in file.iter_batches(rows, [group], columns=list(columns)):
                            arrays = [batch[name].cast(kind) for name, kind in columns.items()]
                            yield pa.RecordBatch.from_arrays(arrays, list(columns))
        except FileNotFoundError:
            raise TidemarkError(
                f"{path}: is gone, but version {self._version} of the table has it: was the table vacuumed or moved?",
                "run the command again: it takes the newest version",
            ) from None
        except (OSError, pa.ArrowException) as error:
            raise TidemarkError(f"{path}: can't be read: {error}") from None


def _files_of(path: str, version: int | None) -> frozenset[Path]:
    """Give the files of an earlier version; none, if it can't be read any more."""
    if version is None:
        return frozenset()
    try:
        names = pa.table(DeltaTable(path, version=version).get_add_actions(flatten=True))["path"].to_pylist()
    except DeltaError:
        return frozenset()
    return frozenset(Path(path) / unquote(name) for name in names)


def _hashed(rows: pa.RecordBatch) -> Hashed:
    partitions, offsets = _places(rows)
    times = rows[bronze.KAFKA_TIME].cast(pa.int64()).fill_null(NO_TIME).to_numpy()
    record = (rows[name] for name in (bronze.KEY, bronze.VALUE, bronze.HEADERS))
    return Hashed(partitions, offsets, times, row_hashes(Records(partitions, offsets, times, *record)))


def _places(rows: pa.RecordBatch) -> tuple[Integers, Integers]:
    partitions, offsets = (rows[name].fill_null(-1).to_numpy() for name in (bronze.PARTITION, bronze.OFFSET))
    return partitions, offsets


def _chunks(group: Any) -> dict[str, Any]:
    columns = (group.column(number) for number in range(group.num_columns))
    return {column.path_in_schema: column for column in columns}


def _group_part(chunks: dict[str, Any]) -> _Part:
    known = [chunks[name].statistics for name in (bronze.PARTITION, bronze.OFFSET)]
    return _part(*[bound for each in known for bound in _bounds_of(each)])


def _bounds_of(statistics: Any) -> tuple[int | None, int | None]:
    return (statistics.min, statistics.max) if statistics is not None and statistics.has_min_max else (None, None)


def _part(first: int | None, last: int | None, lowest: int | None, highest: int | None) -> _Part:
    partitions = None if first is None or last is None else (first, last)
    return _Part(partitions, None if lowest is None or highest is None else (lowest, highest))


def _meet(bounds: Bounds | None, first: int, last: int) -> bool:
    return bounds is None or (bounds[0] <= last and first <= bounds[1])


def _batch_rows(values: Any) -> int:
    """Say how many rows of a row group fit the memory at once."""
    row_bytes = values.total_uncompressed_size // max(1, values.num_values)
    if row_bytes < 8 and values.has_dictionary_page:
        return _DICTIONARY_ROWS
    return int(max(1, min(_MOST_ROWS, _MOST_BYTES // max(1, row_bytes))))
