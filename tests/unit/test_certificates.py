"""What proofs leave behind can be read by the next one, however many write at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from deltalake import DeltaTable

from tidemark.certificates import (
    Origin,
    PartitionMark,
    Tidemark,
    covering_certificates,
    latest_tidemark,
    write_certificates,
    write_tidemark,
)
from tidemark.compare import Voucher
from tidemark.findings import Bucket
from tidemark.settings import Settings
from tidemark.spans import BUCKET, Span

pytestmark = pytest.mark.unit

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def origin(name: str = "first", topic_id: str = "id", contract: str = "rides", at: datetime = NOON) -> Origin:
    return Origin(name, contract, "topic", topic_id, 7, at)


def bucket(number: int, partition: int = 0, sum_of_hashes: int = 5) -> Bucket:
    return Bucket(partition, number, number * BUCKET, (number + 1) * BUCKET, 3, sum_of_hashes)


def starts(settings: Settings, span: Span, topic_id: str = "id") -> list[int]:
    return [each.start for each in covering_certificates(settings, "rides", topic_id, span)]


def test_there_are_none_before_the_first_proof(settings: Settings) -> None:
    assert starts(settings, Span(0, 0, 10)) == []
    assert latest_tidemark(settings, "rides") is None


def test_certificates_are_given_for_the_buckets_of_a_span(settings: Settings) -> None:
    write_certificates(settings, origin(), [*(bucket(number) for number in range(5)), bucket(1, partition=1)])
    assert starts(settings, Span(0, 2 * BUCKET - 1, 3 * BUCKET)) == [BUCKET, 2 * BUCKET]
    assert starts(settings, Span(0, 0, BUCKET)) == [0]
    assert starts(settings, Span(1, 0, 5 * BUCKET)) == [BUCKET]
    assert starts(settings, Span(0, 0, 10), topic_id="another") == []


def test_certificates_that_say_the_same_are_one(settings: Settings) -> None:
    write_certificates(settings, origin("first"), [bucket(0)])
    write_certificates(settings, origin("second"), [bucket(0)])
    write_certificates(settings, origin("third"), [bucket(0, sum_of_hashes=6)])
    sums = sorted(each.sum_of_hashes for each in covering_certificates(settings, "rides", "id", Span(0, 0, 10)))
    assert sums == [5, 6]


@pytest.mark.parametrize("sum_of_hashes", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_sum_of_hashes_comes_back_as_it_was(settings: Settings, sum_of_hashes: int) -> None:
    write_certificates(settings, origin(), [bucket(0, sum_of_hashes=sum_of_hashes)])
    assert covering_certificates(settings, "rides", "id", Span(0, 0, 10)) == [Voucher(0, BUCKET, 3, sum_of_hashes)]


def test_no_clean_bucket_is_no_commit(settings: Settings) -> None:
    write_certificates(settings, origin(), [])
    assert not Path(settings.table("ops", "certificates")).exists()


def test_the_latest_tidemark_is_that_of_the_newest_proof_of_the_contract(settings: Settings) -> None:
    first = Tidemark(origin("b", at=NOON), "proven", (PartitionMark(0, 9, NOON), PartitionMark(1, 4, NOON)))
    later = Tidemark(origin("a", at=NOON + timedelta(seconds=1)), "unknown", (PartitionMark(0, 8, None),))
    other = Tidemark(
        origin("c", contract="sales", at=NOON + timedelta(hours=1)), "broken", (PartitionMark(0, 1, NOON),)
    )
    for tidemark in (first, later, other):
        write_tidemark(settings, tidemark)
    assert latest_tidemark(settings, "rides") == later
    assert latest_tidemark(settings, "sales") == other
    assert DeltaTable(settings.table("ops", "tidemarks")).version() == 2  # all rows of a proof are one commit


@pytest.mark.parametrize(
    ("hours", "complete"), [((3, 1, 2), 1), ((1, None), None), ((None,), None), ((), None), ((4,), 4)]
)
def test_a_table_is_complete_through_the_time_of_its_least_complete_partition(
    hours: tuple[int | None, ...], complete: int | None
) -> None:
    times = [None if hour is None else NOON + timedelta(hours=hour) for hour in hours]
    marks = tuple(PartitionMark(part, 0, time) for part, time in enumerate(times))
    expected = None if complete is None else NOON + timedelta(hours=complete)
    assert Tidemark(origin(), "proven", marks).complete_through == expected


@pytest.mark.parametrize("attempt", range(5))
def test_of_many_that_create_a_table_at_once_all_have_written(settings: Settings, attempt: int) -> None:
    together = Barrier(4)

    def write(number: int) -> None:
        for turn in range(3):
            together.wait()
            write_certificates(settings, origin(str(number)), [bucket(4 * turn + number)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert starts(settings, Span(0, 0, 99 * BUCKET)) == [number * BUCKET for number in range(12)]
