"""Every offset is judged by what both sides have there, in whatever order and batches it arrives."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemark import compare
from tidemark.compare import BROKEN, Kind, Voucher, judged
from tidemark.evidence import Hashed
from tidemark.findings import Findings, found
from tidemark.spans import BUCKET, Span

pytestmark = pytest.mark.unit

PATIENT = settings(deadline=None)  # a busy machine is no failure
RANGES = (*BROKEN, Kind.EXPIRED)

Hash = int
Position = tuple[int, int]  # partition and offset


@dataclass(frozen=True)
class World:
    """What is at each position: committed and aborted records, and rows; None stands for a row's own other bytes."""

    committed: Mapping[Position, Hash] = field(default_factory=dict)
    aborted: frozenset[Position] = frozenset()
    rows: Sequence[tuple[Position, Hash]] = ()
    low: Mapping[int, int] = field(default_factory=dict)
    compacted: bool = False
    batch: int = 3


class KafkaOf:
    """A Kafka side that is made up."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.compacted = world.compacted

    def committed(self, spans: Sequence[Span]) -> Iterator[Hashed]:
        return batches(_near(self._world.committed.items(), spans), self._world.batch)

    def written(self, spans: Sequence[Span]) -> Iterator[Hashed]:
        everything = {**self._world.committed, **dict.fromkeys(self._world.aborted, 0)}
        return batches(_near(everything.items(), spans), self._world.batch)

    def lows(self) -> Mapping[int, int]:
        return {part: self._world.low.get(part, 0) for part in range(10)}


class BronzeOf:
    """A bronze side that is made up."""

    def __init__(self, world: World) -> None:
        self._world = world

    def rows(self, spans: Sequence[Span]) -> Iterator[Hashed]:
        return batches(_near(self._world.rows, spans), self._world.batch)


def batches(records: Iterable[tuple[Position, Hash]], size: int) -> Iterator[Hashed]:
    every = list(records)
    for start in range(0, len(every), size):
        part = every[start : start + size]
        positions = np.array([position for position, _ in part], np.int64)
        hashes = np.array([number for _, number in part], np.uint64)
        yield Hashed(positions[:, 0], positions[:, 1], positions[:, 1] * 1000, hashes)


def _near(records: Iterable[tuple[Position, Hash]], spans: Sequence[Span]) -> list[tuple[Position, Hash]]:
    """Give the records of some spans, and a few beside them, as the true readers may."""
    hulls = {span.partition: range(span.start - 2, span.end + 2) for span in spans}
    return [record for record in records if record[0][1] in hulls.get(record[0][0], ())]


def compared(
    world: World, *spans: Span, vouchers: Sequence[Voucher] = (), retired: Sequence[tuple[int, int]] = ()
) -> Findings:
    return found(judged(KafkaOf(world), BronzeOf(world), spans, lambda _: vouchers, retired={0: retired}))


def offsets(findings: Findings, kind: Kind) -> set[Position]:
    return {(each.partition, at) for each in findings.ranges(kind) for at in range(each.start, each.end)}


def expected(world: World, position: Position) -> Kind:
    """Judge one position, the slow way."""
    rows = [number for at, number in world.rows if at == position]
    if position in world.committed:
        if len(rows) == 1:
            return Kind.LANDED_ONCE if rows == [world.committed[position]] else Kind.ALTERED
        return Kind.TWICE if rows else Kind.LOST
    is_expired = position[1] < world.low.get(position[0], 0)
    if is_expired or (world.compacted and position not in world.aborted):
        return Kind.TWICE if len(rows) > 1 else Kind.EXPIRED if is_expired else Kind.COMPACTED
    return Kind.PHANTOM if rows else Kind.ABORTED


POSITIONS = st.tuples(st.integers(0, 2), st.integers(0, 12))
HASHES = st.sampled_from([0, 1, 2**64 - 1])
WORLDS = st.builds(
    World,
    committed=st.dictionaries(POSITIONS, HASHES),
    aborted=st.frozensets(POSITIONS),
    rows=st.lists(st.tuples(POSITIONS, HASHES), max_size=40),
    low=st.dictionaries(st.integers(0, 2), st.integers(0, 12)),
    compacted=st.booleans(),
    batch=st.integers(1, 50),
)
SPANS = st.lists(
    st.builds(
        lambda part, start, size: Span(part, start, start + size), *[st.integers(0, 2), *[st.integers(0, 8)] * 2]
    ),
    unique_by=lambda span: span.partition,
)


@PATIENT
@given(WORLDS, SPANS)
def test_every_offset_is_of_exactly_one_kind(world: World, spans: list[Span]) -> None:
    everything = [(span.partition, at) for span in spans for at in range(span.start, span.end)]
    of_kind = {kind: {at for at in everything if expected(world, at) == kind} for kind in Kind}
    findings = compared(world, *spans)
    assert {kind: findings.counts[kind] for kind in Kind} == {kind: len(at) for kind, at in of_kind.items()}
    assert {kind: offsets(findings, kind) for kind in RANGES} == {kind: of_kind[kind] for kind in RANGES}


@PATIENT
@given(WORLDS, SPANS)
def test_everything_before_a_mark_is_accounted_for_and_the_mark_is_not(world: World, spans: list[Span]) -> None:
    findings = compared(world, *spans)
    wrong = set().union(*(offsets(findings, kind) for kind in RANGES))
    for span in (each for each in spans if len(each)):
        mark = findings.marks[span.partition]
        assert mark.offset == min((at for part, at in wrong if part == span.partition), default=span.end)
        single = {at for (part, at), _ in world.rows if part == span.partition and span.start <= at < mark.offset}
        assert mark.time == max((at * 1000 for at in single), default=None)


def whole(count: int, **changes: object) -> World:
    """Give a world where `count` records of partition 0 have landed."""
    records = {(0, at): at + 1 for at in range(count)}
    return World(**{"committed": records, "rows": list(records.items()), "batch": 10_000, **changes})  # type: ignore[arg-type]


def test_findings_on_both_sides_of_a_cut_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "CHUNK_OFFSETS", BUCKET)
    count = 2 * BUCKET + 10
    everything = whole(count)
    kept = [(at, number) for at, number in everything.rows if not BUCKET - 5 <= at[1] < BUCKET + 5]
    findings = compared(whole(count, rows=kept), Span(0, 0, count))
    assert [(each.start, each.end) for each in findings.ranges(Kind.LOST)] == [(BUCKET - 5, BUCKET + 5)]
    assert findings.marks[0].offset == BUCKET - 5
    assert findings.marks[0].time == (BUCKET - 6) * 1000
    assert [(each.bucket, each.start, each.end, each.records) for each in findings.buckets] == [
        (2, 2 * BUCKET, count, 10)
    ]


def test_a_bucket_has_the_sum_of_its_rows_hashes_in_any_order() -> None:
    huge = {(0, 0): 2**64 - 1, (0, 1): 5, (0, 3): 7}  # no record at 2
    rows = list(huge.items())
    sums = [
        compared(World(committed=huge, rows=order), Span(0, 0, 4)).buckets[0] for order in (rows, list(reversed(rows)))
    ]
    assert sums[0] == sums[1]
    assert (sums[0].records, sums[0].sum_of_hashes) == (3, 11)


GOOD = Voucher(0, 6, 5, sum(range(1, 6)))
EXPIRED = whole(5, committed={(0, at): at + 1 for at in range(3, 5)}, low={0: 3})


@pytest.mark.parametrize(
    ("vouchers", "landed"),
    [
        ([GOOD], 5),
        ([Voucher(0, 6, 5, 1), GOOD], 5),
        ([], 2),
        ([Voucher(0, 6, 5, 16)], 2),
        ([Voucher(0, 6, 4, GOOD.sum_of_hashes)], 2),
        ([Voucher(0, 2, 2, 3)], 4),  # of 0 and 1 only
    ],
)
def test_a_certificate_vouches_for_what_it_covers_while_the_hash_holds(vouchers: list[Voucher], landed: int) -> None:
    findings = compared(EXPIRED, Span(0, 0, 6), vouchers=vouchers)
    assert (findings.counts[Kind.LANDED_ONCE], findings.counts[Kind.EXPIRED]) == (landed, 5 - landed)


@pytest.mark.parametrize("voucher", [Voucher(-3, 6, 2, 9), Voucher(3, 99, 2, 9)])
def test_a_certificate_of_more_than_was_read_vouches_for_nothing(voucher: Voucher) -> None:
    world = whole(5, committed={}, low={0: 6})
    assert compared(world, Span(0, 0, 6), vouchers=[voucher]).counts == {Kind.EXPIRED: 6}


def test_an_expired_gap_that_a_certificate_covers_is_accounted_for() -> None:
    rows = [((0, 0), 1), ((0, 2), 3)]
    world = World(rows=rows, low={0: 4})
    findings = compared(world, Span(0, 0, 4), vouchers=[Voucher(0, 4, 2, 4)])
    assert findings.counts == {Kind.LANDED_ONCE: 2, Kind.ABORTED: 2}


def test_a_certificate_does_not_vouch_for_a_bucket_with_more_rows_than_it_had() -> None:
    doubled_gap = [*whole(5).rows, *[((0, 5), 9)] * 2]
    world = whole(5, committed={}, rows=doubled_gap, low={0: 6})
    findings = compared(world, Span(0, 0, 6), vouchers=[GOOD])
    assert findings.counts == {Kind.EXPIRED: 5, Kind.TWICE: 1}


def test_what_expires_while_it_is_read_is_not_lost() -> None:
    world = whole(9, committed={(0, at): at + 1 for at in range(4, 9)})
    kafka = KafkaOf(world)
    reading = kafka.committed

    def overtaken(spans: Sequence[Span]) -> Iterator[Hashed]:
        yield from reading(spans)
        object.__setattr__(world, "low", {0: 4})

    kafka.committed = overtaken  # type: ignore[method-assign]
    findings = found(judged(kafka, BronzeOf(world), [Span(0, 0, 9)], lambda _: []))
    assert findings.counts == {Kind.EXPIRED: 4, Kind.LANDED_ONCE: 5}


def test_certificates_are_asked_for_only_where_offsets_expired() -> None:
    def refuse(_: Span) -> list[Voucher]:
        raise AssertionError("asked")

    world = whole(5)
    assert found(judged(KafkaOf(world), BronzeOf(world), [Span(0, 0, 5)], refuse)).counts[Kind.LANDED_ONCE] == 5


def test_what_was_retired_is_not_lost_and_what_is_lost_beside_it_is() -> None:
    kept = [row for row in whole(9).rows if row[0][1] not in (0, 1, 2, 5)]
    findings = compared(whole(9, rows=kept), Span(0, 0, 9), retired=[(0, 2), (2, 3), (6, 8)])
    assert offsets(findings, Kind.LOST) == {(0, 5)}
    assert findings.counts == {Kind.RETIRED: 3, Kind.LANDED_ONCE: 5, Kind.LOST: 1}
    assert (findings.marks[0].offset, findings.buckets) == (5, [])


def test_what_was_retired_is_retired_after_kafka_has_expired_it_and_what_stays_is_vouched_for() -> None:
    world = whole(5, committed={}, rows=whole(5).rows[3:], low={0: 6})
    vouchers = [GOOD, Voucher(3, 6, 2, 9)]
    findings = compared(world, Span(0, 0, 6), vouchers=vouchers, retired=[(0, 3)])
    assert findings.counts == {Kind.RETIRED: 3, Kind.LANDED_ONCE: 2, Kind.ABORTED: 1}
    assert [(each.start, each.end, each.records, each.sum_of_hashes) for each in findings.buckets] == [(0, 6, 2, 9)]


def test_a_gap_in_what_was_retired_is_still_an_aborted_record() -> None:
    world = World(committed={(0, 0): 1, (0, 2): 3})
    findings = compared(world, Span(0, 0, 3), retired=[(0, 3)])
    assert findings.counts == {Kind.RETIRED: 2, Kind.ABORTED: 1}
