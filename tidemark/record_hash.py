"""The hash of a record, computed by one function from Kafka's records and from bronze's rows alike.

A record is serialised, little-endian and without padding, as

    partition i32, offset i64, timestamp i64 (microseconds since 1970), key length i32, value length i32,
    number of headers i32, key, value, and for each header: key length i32, value length i32, key, value

where a length of -1 stands for null. The lengths come first, so no two records share a serialisation. No headers and
an empty list of them are the same: Kafka itself can't tell them apart. The hash is XXH3-64: it guards against
accidents, not against somebody who forges a row to have the same hash.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]

HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
NO_TIME = np.iinfo(np.int64).min  # stands for a null timestamp, which no record of Kafka has

_NULL = -1
_RECORD = np.dtype(
    [("partition", "<i4"), ("offset", "<i8"), ("time", "<i8"), ("key", "<i4"), ("value", "<i4"), ("headers", "<i4")]
)
_HEADER = np.dtype([("key", "<i4"), ("value", "<i4")])


@dataclass(frozen=True)
class Records:
    """Records, column by column, all columns of one length.

    `times` are microseconds; `keys` and `values` are binary, `headers` is of type HEADERS.
    """

    partitions: Integers
    offsets: Integers
    times: Integers
    keys: pa.Array
    values: pa.Array
    headers: pa.Array


def row_hashes(records: Records) -> Hashes:
    """Hash every record."""
    return hashes_of(_serialised(records))


def hashes_of(rows: pa.Array) -> Hashes:
    """Hash every value of a binary array."""
    if len(rows) == 0:
        return np.empty(0, np.uint64)
    bounds = np.frombuffer(rows.buffers()[1], np.int32, len(rows) + 1).tolist()
    data = rows.buffers()[2].to_pybytes()
    cuts = map(data.__getitem__, map(slice, bounds, bounds[1:]))
    return np.fromiter(map(xxh3_64_intdigest, cuts), np.uint64, len(rows))


def _serialised(records: Records) -> pa.Array:
    counts = pc.list_value_length(records.headers).fill_null(0).to_numpy(zero_copy_only=False)
    prefix = np.empty(len(records.offsets), _RECORD)
    prefix["partition"], prefix["offset"], prefix["time"] = records.partitions, records.offsets, records.times
    prefix["key"], prefix["value"], prefix["headers"] = lengths(records.keys), lengths(records.values), counts
    parts = [as_binary(prefix), records.keys, records.values]
    return joined([*parts, _headers(records.headers, counts)] if counts.any() else parts)


def _headers(headers: pa.Array, counts: NDArray[Any]) -> pa.Array:
    """Give each record's headers as bytes."""
    entries = headers.flatten()  # leaves out what stands under null lists
    keys, values = (entries.field(name).cast(pa.binary()) for name in ("key", "value"))
    prefix = np.empty(len(entries), _HEADER)
    prefix["key"], prefix["value"] = lengths(keys), lengths(values)
    bounds = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(bounds, joined([as_binary(prefix), keys, values])), b"")


def lengths(column: pa.Array) -> NDArray[Any]:
    """Give the length of each value in bytes, -1 for null."""
    return np.asarray(pc.binary_length(column).fill_null(_NULL).to_numpy(zero_copy_only=False))


def as_binary(rows: NDArray[Any]) -> pa.Array:
    """Give each element of a structured array as bytes."""
    bounds = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(rows.itemsize)
    return pa.Array.from_buffers(pa.binary(), len(rows), [None, pa.py_buffer(bounds), pa.py_buffer(rows.tobytes())])


def joined(parts: list[pa.Array]) -> pa.Array:
    """Join columns of bytes, value by value; null is empty."""
    return pc.binary_join_element_wise(*parts, b"", null_handling="replace", null_replacement=b"")
