"""Spans of offsets: cut into chunks that fit the memory, and laid out in flat arrays."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemark.record_hash import Integers

BUCKET = 50_000  # offsets; certificates are made per bucket, and buckets begin at its multiples

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Span:
    """Offsets [start, end) of one partition."""

    partition: int
    start: int
    end: int

    def __len__(self) -> int:
        return max(0, self.end - self.start)


class Layout:
    """Where each offset of some spans stands in arrays that hold them all, one span behind the other.

    There is one span a partition at most.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        slots = max((span.partition for span in spans), default=-1) + 1
        self.size = sum(map(len, spans))
        self.slices: list[tuple[Span, slice]] = []
        self._starts = np.zeros(slots, np.int64)
        self._ends = np.zeros(slots, np.int64)  # a partition without a span has the empty one
        self._shift = np.zeros(slots, np.int64)
        place = 0
        for span in spans:
            self._starts[span.partition], self._ends[span.partition] = span.start, span.end
            self._shift[span.partition] = place - span.start
            self.slices.append((span, slice(place, place + len(span))))
            place += len(span)

    def inside(self, partitions: Integers, offsets: Integers) -> NDArray[np.bool_]:
        """Tell which positions are in the spans."""
        known = (partitions >= 0) & (partitions < len(self._starts))
        slots = np.where(known, partitions, 0)
        if not len(self._starts):
            return known
        return known & (offsets >= self._starts[slots]) & (offsets < self._ends[slots])

    def places(self, partitions: Integers, offsets: Integers) -> Places:
        """Give the place of each position; all are in the spans."""
        return (offsets + self._shift[partitions]).astype(np.intp)


def chunks(spans: Sequence[Span], size: int) -> Iterator[list[Span]]:
    """Cut spans into chunks of about `size` offsets, each with one piece a partition at most.

    Cuts are at multiples of BUCKET, so that no bucket is torn. Partitions advance side by side, as they were written:
    a file of the table then belongs to few chunks.
    """
    rounds = max(1, -(-sum(map(len, spans)) // size))
    queues = [list(_pieces(span, rounds)) for span in spans if len(span)]
    chunk: list[Span] = []
    for turn in range(max(map(len, queues), default=0)):
        for piece in (queue[turn] for queue in queues if turn < len(queue)):
            torn = any(each.partition == piece.partition for each in chunk)
            if chunk and (torn or sum(map(len, chunk)) + len(piece) > size):
                yield chunk
                chunk = []
            chunk.append(piece)
    if chunk:
        yield chunk


def _pieces(span: Span, rounds: int) -> Iterator[Span]:
    step = max(1, -(-len(span) // (rounds * BUCKET))) * BUCKET
    start = span.start
    while start < span.end:
        end = min(span.end, (start // BUCKET) * BUCKET + step)
        yield Span(span.partition, start, end)
        start = end


def runs(mask: NDArray[np.bool_]) -> Integers:
    """Give [start, end) of every run of true elements, one a row."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return edges.reshape(-1, 2).astype(np.int64)


def covered(span: Span, ranges: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    """Tell which offsets of a span are in some ranges [start, end)."""
    inside = np.zeros(len(span), np.bool_)
    for start, end in ranges:
        inside[max(0, start - span.start) : max(0, end - span.start)] = True
    return inside
