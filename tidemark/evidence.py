"""What both sides of a comparison have at each offset: arrays, one element an offset."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemark.record_hash import Hashes, Integers
from tidemark.spans import Layout, Span

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Hashed:
    """Records or rows by their position: arrays of one length."""

    partitions: Integers
    offsets: Integers
    times: Integers  # microseconds
    hashes: Hashes


@dataclass(frozen=True)
class Evidence:
    """What both sides have at each offset of a span: arrays with one element an offset."""

    span: Span
    in_kafka: Flags  # a committed record
    aborted: Flags  # a record that was not committed; looked for on compacted topics only
    record_hashes: Hashes
    rows: NDArray[np.uint8]  # 0, 1 or 2: two or more
    row_hashes: Hashes
    row_times: Integers

    @property
    def single(self) -> Flags:
        """Where there is exactly one row."""
        return np.asarray(self.rows == 1)


def sum_of_hashes(evidence: Evidence, part: slice) -> tuple[int, int]:
    """Count the single rows in a part of a span, and add up their hashes modulo 2**64: the order does not matter."""
    single = evidence.single[part]
    return int(single.sum()), int(evidence.row_hashes[part][single].sum(dtype=np.uint64))


class Records:
    """What was read of Kafka, by place."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.present = np.zeros(layout.size, np.bool_)
        self.aborted = np.zeros(layout.size, np.bool_)
        self.hashes = np.zeros(layout.size, np.uint64)

    def add(self, batches: Iterable[Hashed]) -> None:
        """Take in committed records."""
        for batch in batches:
            inside = self._layout.inside(batch.partitions, batch.offsets)
            places = self._layout.places(batch.partitions[inside], batch.offsets[inside])
            self.present[places] = True
            self.hashes[places] = batch.hashes[inside]

    def add_aborted(self, batches: Iterable[Hashed]) -> None:
        """Take in all records: those that were not committed are aborted."""
        for batch in batches:
            inside = self._layout.inside(batch.partitions, batch.offsets)
            self.aborted[self._layout.places(batch.partitions[inside], batch.offsets[inside])] = True
        self.aborted &= ~self.present


class Rows:
    """What was read of bronze, by place."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.counts = np.zeros(layout.size, np.uint8)
        self.hashes = np.zeros(layout.size, np.uint64)
        self.times = np.zeros(layout.size, np.int64)

    def add(self, batches: Iterable[Hashed]) -> None:
        """Take in rows."""
        for batch in batches:
            inside = self._layout.inside(batch.partitions, batch.offsets)
            places = self._layout.places(batch.partitions[inside], batch.offsets[inside])
            self.hashes[places] = batch.hashes[inside]
            self.times[places] = batch.times[inside]
            distinct, times_seen = np.unique(places, return_counts=True)
            self.counts[distinct] = np.minimum(self.counts[distinct] + times_seen, 2)  # no overflow at 256


def gaps(layout: Layout, present: Flags) -> list[Span]:
    """Give for each span the part from its first to its last gap."""
    found = []
    for span, part in layout.slices:
        gaps = np.flatnonzero(~present[part])
        if len(gaps):
            found.append(Span(span.partition, span.start + int(gaps[0]), span.start + int(gaps[-1]) + 1))
    return found
