"""Compare Kafka with bronze: read both sides, and classify every offset by what they have there.

It compares bytes, never counts: one record lost and another one doubled are two findings. Memory is bounded by
CHUNK_OFFSETS, whatever the number of offsets.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tidemark.evidence import Evidence, Hashed, Records, Rows, gaps, sum_of_hashes
from tidemark.spans import Layout, Span, chunks, covered

CHUNK_OFFSETS = 2_000_000  # 26 bytes each

Tick = Callable[[int], None]  # told how many rows were read since the last call
Kinds = NDArray[np.uint8]
Retired = Mapping[int, Sequence[tuple[int, int]]]  # by partition: ranges that upkeep has let go


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
    RETIRED = 9  # it was proven, and its row let go when the contract's time was up


NOTHING_RETIRED: Retired = MappingProxyType({})
BROKEN = (Kind.TWICE, Kind.LOST, Kind.ALTERED, Kind.PHANTOM)
CLEAN = (Kind.LANDED_ONCE, Kind.ABORTED, Kind.COMPACTED, Kind.RETIRED)


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
    kafka: KafkaSide,
    bronze: BronzeSide,
    spans: Sequence[Span],
    vouchers: Vouchers,
    tick: Tick = lambda _: None,
    retired: Retired = NOTHING_RETIRED,
) -> Iterator[Judged]:
    """Read both sides and classify every offset; the pieces of a partition come in order.

    Args:
        vouchers: gives the certificates that overlap a span; asked only where Kafka has expired offsets.
        retired: what the ledger says was let go.
    """
    for chunk in chunks(spans, CHUNK_OFFSETS):
        layout = Layout(chunk)
        records = Records(layout)
        records.add(_told(kafka.committed(chunk), tick))
        lows = kafka.lows()  # after reading: retention may have moved it meanwhile
        if kafka.compacted:
            records.add_aborted(kafka.written(gaps(layout, records.present)))
        rows = Rows(layout)
        rows.add(_told(bronze.rows(chunk), tick))
        for span, part in layout.slices:
            of_kafka = (records.present[part], records.aborted[part], records.hashes[part])
            evidence = Evidence(span, *of_kafka, rows.counts[part], rows.hashes[part], rows.times[part])
            kinds = classified(evidence, lows.get(span.partition, span.end), kafka.compacted)
            _let_go(evidence, kinds, retired)
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


def _let_go(evidence: Evidence, kinds: Kinds, retired: Retired) -> None:
    """Let offsets without a row that were retired be no lost ones.

    Args:
        kinds: is changed.
    """
    ranges = retired.get(evidence.span.partition, ())
    missing = (evidence.rows == 0) & np.isin(kinds, (Kind.LOST, Kind.EXPIRED))
    kinds[missing & covered(evidence.span, ranges)] = Kind.RETIRED


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


def _told(batches: Iterable[Hashed], tick: Tick) -> Iterator[Hashed]:
    for batch in batches:
        yield batch
        tick(len(batch.offsets))
