"""Compare Kafka with bronze: read both sides, and classify every offset by what they have there.

It compares bytes, never counts: one record lost and another one doubled are two findings. Memory is bounded by
CHUNK_OFFSETS, whatever the number of offsets.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tidemark.record_hash import Hashes, Integers
from tidemark.spans import Layout, Span, chunks

CHUNK_OFFSETS = 2_000_000  # 26 bytes each

Tick = Callable[[int], None]  # told how many rows were read since the last call
Kinds = NDArray[np.uint8]
Flags = NDArray[np.bool_]


class Kind(IntEnum):
    """What became of an offset."""

    LANDED_ONCE = 0
    TWICE = 1  # two rows or more, even if they are equal
    LOST = 2  # a committed record, and no row
    ALTERED = 3  # one row, with other bytes than the record
    PHANTOM = 4  # a row where Kafka has no committed record
    ABORTED = 5  # of an aborted transaction or a control record, and no row
    COMPACTED = 6  # removed by compaction; one row there is fine
    EXPIRED = 7  # removed by retention, and no certificate vouches for it
    PENDING = 8  # not taken by the stream yet


BROKEN = (Kind.TWICE, Kind.LOST, Kind.ALTERED, Kind.PHANTOM)
CLEAN = (Kind.LANDED_ONCE, Kind.ABORTED, Kind.COMPACTED)


@dataclass(frozen=True)
class Hashed:
    """Records or rows by their position: arrays of one length."""

    partitions: Integers
    offsets: Integers
    times: Integers  # microseconds
    hashes: Hashes


class KafkaSide(Protocol):
    """What Kafka has."""

    @property
    def compacted(self) -> bool:
        """Whether the topic's older records are removed key by key."""

    def committed(self, spans: Sequence[Span]) -> Iterator[Hashed]:
        """Read the committed records of some spans, and perhaps others beside them."""

    def written(self, spans: Sequence[Span]) -> Iterator[Hashed]:
        """Read all records of some spans, those of aborted transactions too."""

    def lows(self) -> Mapping[int, int]:
        """Give the first offset that Kafka keeps in each partition now."""


class BronzeSide(Protocol):
    """What a version of the bronze table has."""

    def rows(self, spans: Sequence[Span]) -> Iterator[Hashed]:
        """Read the rows of some spans, and perhaps others beside them."""


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


@dataclass(frozen=True)
class Voucher:
    """The part of a certificate that vouches for rows: so many in [start, end), with this sum of hashes."""

    start: int
    end: int
    records: int
    sum_of_hashes: int  # modulo 2**64


Vouchers = Callable[[Span], Sequence[Voucher]]


@dataclass(frozen=True)
class Judged:
    """A span whose every offset is classified."""

    evidence: Evidence
    kinds: Kinds


def judged(
    kafka: KafkaSide, bronze: BronzeSide, spans: Sequence[Span], vouchers: Vouchers, tick: Tick = lambda _: None
) -> Iterator[Judged]:
    """Read both sides and classify every offset; the pieces of a partition come in order.

    Args:
        vouchers: gives the certificates that overlap a span; asked only where Kafka has expired offsets.
    """
    for chunk in chunks(spans, CHUNK_OFFSETS):
        layout = Layout(chunk)
        records = _Records(layout)
        records.add(_told(kafka.committed(chunk), tick))
        lows = kafka.lows()  # after reading: retention may have moved it meanwhile
        if kafka.compacted:
            records.add_aborted(kafka.written(_gaps(layout, records.present)))
        rows = _Rows(layout)
        rows.add(_told(bronze.rows(chunk), tick))
        for span, part in layout.slices:
            of_kafka = (records.present[part], records.aborted[part], records.hashes[part])
            evidence = Evidence(span, *of_kafka, rows.counts[part], rows.hashes[part], rows.times[part])
            kinds = classified(evidence, lows.get(span.partition, span.end), kafka.compacted)
            _vouch(evidence, kinds, vouchers, gap=Kind.COMPACTED if kafka.compacted else Kind.ABORTED)
            yield Judged(evidence, kinds)


def classified(evidence: Evidence, low: int, compacted: bool) -> Kinds:
    """Give the kind of every offset of a span.

    Args:
        low: the first offset that Kafka kept when it had been read.
        compacted: whether the topic is.
    """
    offsets = np.arange(evidence.span.start, evidence.span.end)
    present, rows, single = evidence.in_kafka, evidence.rows, evidence.single
    expired = ~present & (offsets < low)
    gap = ~present & ~expired
    # On a topic that isn't compacted a gap can only be an aborted record or a control record
    removed = gap & ~evidence.aborted if compacted else np.zeros_like(gap)
    cases = (
        (present & (rows == 0), Kind.LOST),
        ((rows > 1) & (present | expired | removed), Kind.TWICE),
        (present & single & (evidence.record_hashes == evidence.row_hashes), Kind.LANDED_ONCE),
        (present, Kind.ALTERED),
        (expired, Kind.EXPIRED),
        (removed, Kind.COMPACTED),
        (rows > 0, Kind.PHANTOM),
    )
    return np.select([where for where, _ in cases], [np.uint8(kind) for _, kind in cases], np.uint8(Kind.ABORTED))


def sum_of_hashes(evidence: Evidence, part: slice) -> tuple[int, int]:
    """Count the single rows in a part of a span, and add up their hashes modulo 2**64: the order does not matter."""
    single = evidence.single[part]
    return int(single.sum()), int(evidence.row_hashes[part][single].sum(dtype=np.uint64))


def _vouch(evidence: Evidence, kinds: Kinds, vouchers: Vouchers, gap: Kind) -> None:
    """Let expired offsets count as landed where a certificate covers them and bronze still has its hash.

    Args:
        kinds: is changed.
        gap: what an offset without a row was when the certificate was made.
    """
    expired = kinds == Kind.EXPIRED
    if not expired.any():
        return
    span = evidence.span
    for voucher in vouchers(span):
        if voucher.start < span.start or voucher.end > span.end:
            continue
        part = slice(voucher.start - span.start, voucher.end - span.start)
        rows = evidence.rows[part]
        if not (rows > 1).any() and sum_of_hashes(evidence, part) == (voucher.records, voucher.sum_of_hashes):
            kinds[part][expired[part] & (rows == 1)] = Kind.LANDED_ONCE
            kinds[part][expired[part] & (rows == 0)] = gap


class _Records:
    """What was read of Kafka, by place."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.present = np.zeros(layout.size, np.bool_)
        self.aborted = np.zeros(layout.size, np.bool_)
        self.hashes = np.zeros(layout.size, np.uint64)

    def add(self, batches: Iterable[Hashed]) -> None:
        for batch in batches:
            inside = self._layout.inside(batch.partitions, batch.offsets)
            places = self._layout.places(batch.partitions[inside], batch.offsets[inside])
            self.present[places] = True
            self.hashes[places] = batch.hashes[inside]

    def add_aborted(self, batches: Iterable[Hashed]) -> None:
        for batch in batches:
            inside = self._layout.inside(batch.partitions, batch.offsets)
            self.aborted[self._layout.places(batch.partitions[inside], batch.offsets[inside])] = True
        self.aborted &= ~self.present


class _Rows:
    """What was read of bronze, by place."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.counts = np.zeros(layout.size, np.uint8)
        self.hashes = np.zeros(layout.size, np.uint64)
        self.times = np.zeros(layout.size, np.int64)

    def add(self, batches: Iterable[Hashed]) -> None:
        for batch in batches:
            inside = self._layout.inside(batch.partitions, batch.offsets)
            places = self._layout.places(batch.partitions[inside], batch.offsets[inside])
            self.hashes[places] = batch.hashes[inside]
            self.times[places] = batch.times[inside]
            distinct, times_seen = np.unique(places, return_counts=True)
            self.counts[distinct] = np.minimum(self.counts[distinct] + times_seen, 2)  # no overflow at 256


def _gaps(layout: Layout, present: Flags) -> list[Span]:
    """Give for each span the part from its first to its last gap."""
    found = []
    for span, part in layout.slices:
        gaps = np.flatnonzero(~present[part])
        if len(gaps):
            found.append(Span(span.partition, span.start + int(gaps[0]), span.start + int(gaps[-1]) + 1))
    return found


def _told(batches: Iterable[Hashed], tick: Tick) -> Iterator[Hashed]:
    for batch in batches:
        yield batch
        tick(len(batch.offsets))
