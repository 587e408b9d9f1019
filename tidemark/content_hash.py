"""The content of data files: how many rows, and a hash to which every column of every row counts, and no order.

A row is serialised with its lengths first (-1 for null), as in `tidemark.record_hash`, so no two rows share a
serialisation; the hashes are added up modulo 2**64.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tidemark.record_hash import as_binary, hashes_of, joined, lengths

_NULL = -1
_MOST_ROWS = 16_384
_MOST_BYTES = 32 * 1024 * 1024  # of a column at once, by what its values have on average
_MOST_WORDS = 2**30  # bytes of a column at once, if every value were the whole dictionary


@dataclass(frozen=True)
class Content:
    """What some files hold."""

    rows: int
    sum_of_hashes: int  # modulo 2**64


def content_of(files: Iterable[Path], columns: Sequence[str]) -> Content:
    """Read files and hash their rows.

    Args:
        columns: a file that lacks one has nulls there.

    Raises:
        OSError, pyarrow.ArrowException: a file can't be read.
    """
    rows, total = 0, 0
    for batch in _batches(files, columns):
        hashes = hashes_of(_serialised(batch))
        rows += len(hashes)
        total += int(hashes.sum(dtype=np.uint64))
    return Content(rows, total % 2**64)


def _batches(files: Iterable[Path], columns: Sequence[str]) -> Iterator[list[pa.Array]]:
    for path in files:
        with pq.ParquetFile(path, buffer_size=1 << 20, coerce_int96_timestamp_unit="us") as file:
            present = [name for name in columns if name in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(_batch_rows(file.metadata.row_group(group)), [group], columns=present):
                    yield [batch[name] if name in present else pa.nulls(len(batch)) for name in columns]


def _batch_rows(group: Any) -> int:
    """Say how many rows of a row group fit the memory at once."""
    return max(1, min(_rows_of(group.column(number)) for number in range(group.num_columns)))


def _rows_of(column: Any) -> int:
    total = max(1, int(column.total_uncompressed_size))
    row_bytes = total // max(1, int(column.num_values))
    if row_bytes < 8 and column.has_dictionary_page:  # each value is a word of a dictionary: how long is not known
        return min(_MOST_ROWS, _MOST_WORDS // total)
    return min(_MOST_ROWS, _MOST_BYTES // max(1, row_bytes))


def _serialised(columns: Sequence[pa.Array]) -> pa.Array:
    """Give each row as bytes: for each column a length and a number, then all texts."""
    prefix = np.zeros(len(columns[0]), [(f"{kind}{index}", "<i8") for index in range(len(columns)) for kind in "ln"])
    texts = []
    for index, column in enumerate(columns):
        if _is_number(column.type):
            prefix[f"l{index}"] = np.where(column.is_null().to_numpy(zero_copy_only=False), _NULL, 0)
            prefix[f"n{index}"] = _numbers(column)
        elif pa.types.is_null(column.type):
            prefix[f"l{index}"] = _NULL
        else:
            length, text = _list(column) if pa.types.is_list(column.type) else _text(column)
            prefix[f"l{index}"] = length
            texts.append(text)
    return joined([as_binary(prefix), *texts])


def _is_number(kind: pa.DataType) -> bool:
    of = pa.types
    return any(test(kind) for test in (of.is_integer, of.is_float64, of.is_boolean, of.is_timestamp, of.is_date32))


def _numbers(column: pa.Array) -> NDArray[Any]:
    """Give fixed-width values as whole numbers, whatever their type; doubles by their bits."""
    if pa.types.is_float64(column.type):
        return np.ascontiguousarray(column.fill_null(0.0).to_numpy(zero_copy_only=False)).view("<i8")
    whole = column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column
    whole = whole.cast(pa.int32()) if pa.types.is_date32(column.type) else whole
    return np.asarray(whole.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))


def _text(column: pa.Array) -> tuple[NDArray[Any], pa.Array]:
    if pa.types.is_struct(column.type):
        present = np.where(column.is_null().to_numpy(zero_copy_only=False), _NULL, 0)
        return present, _serialised(column.flatten())
    textual = pa.types.is_string(column.type) or pa.types.is_binary(column.type)
    text = (column if textual else column.cast(pa.string())).cast(pa.binary())
    return lengths(text), text


def _list(column: pa.Array) -> tuple[NDArray[Any], pa.Array]:
    counts = np.asarray(pc.list_value_length(column).fill_null(_NULL).to_numpy(zero_copy_only=False))
    bounds = np.concatenate(([0], np.cumsum(np.maximum(counts, 0)))).astype(np.int32)
    elements = _serialised([column.flatten()])  # leaves out what stands under null lists
    return counts, pc.binary_join(pa.ListArray.from_arrays(bounds, elements), b"")
