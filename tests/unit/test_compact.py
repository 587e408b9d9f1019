"""Which days are compacted."""

from datetime import date, timedelta

import pytest
from pyspark.errors import PySparkException

from streaming.batch.compact import CROWDED_FILES, SMALL_BYTES, Day, due, is_concurrent, measured, within

pytestmark = pytest.mark.unit

TODAY = date(2025, 6, 10)
YESTERDAY = TODAY - timedelta(days=1)


def day(when: date, small: int, large: int = 0) -> Day:
    return Day(when, files=small + large, small=small, bytes=1, records=1)


@pytest.mark.parametrize(
    ("small", "large", "is_due"),
    [(0, 0, False), (0, 500, False), (1, 0, False), (1, 9, False), (2, 0, True), (500, 3, True)],
)
def test_a_closed_day_is_due_when_two_small_files_could_be_one(small: int, large: int, is_due: bool) -> None:
    assert due([day(YESTERDAY, small, large)], TODAY, None) == [YESTERDAY] * is_due


@pytest.mark.parametrize(
    ("small", "is_due"), [(2, False), (CROWDED_FILES, False), (CROWDED_FILES + 1, True), (5000, True)]
)
def test_today_is_due_when_it_is_crowded(small: int, is_due: bool) -> None:
    assert due([day(TODAY, small)], TODAY, None) == [TODAY] * is_due


def test_large_files_of_today_do_not_make_it_crowded() -> None:
    assert due([day(TODAY, small=3, large=500)], TODAY, None) == []


def test_days_are_compacted_from_the_oldest_on() -> None:
    days = [TODAY, YESTERDAY, date(2024, 12, 31)]
    assert due([day(when, 101) for when in days], TODAY, None) == sorted(days)


@pytest.mark.parametrize(("small", "is_due"), [(0, False), (1, False), (2, True)])
@pytest.mark.parametrize("wanted", [YESTERDAY, TODAY])
def test_a_named_day_alone_is_due_when_there_is_something_to_join(wanted: date, small: int, is_due: bool) -> None:
    others = [day(when, 100) for when in (TODAY, YESTERDAY, date(2025, 1, 1)) if when != wanted]
    assert due([*others, day(wanted, small)], TODAY, wanted) == [wanted] * is_due


def test_a_named_day_without_files_is_not_due() -> None:
    assert due([day(YESTERDAY, 100)], TODAY, date(2020, 1, 1)) == []


@pytest.mark.parametrize(("most", "taken"), [(1, 1), (10, 1), (29, 1), (30, 2), (59, 2), (60, 3), (999, 3)])
def test_the_oldest_days_are_taken_until_a_run_has_enough_bytes_and_one_is_always(most: int, taken: int) -> None:
    days = [YESTERDAY - timedelta(days=age) for age in (2, 1, 0)]
    sizes = zip(days, (10, 20, 30), strict=True)
    found = {when: Day(when, files=9, small=9, bytes=500, records=1, small_bytes=size) for when, size in sizes}
    assert within(days, found, most) == (days[:taken], days[taken:])


def test_nothing_due_is_nothing_taken() -> None:
    assert within([], {}, 10) == ([], [])


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (PySparkException("[DELTA_CONCURRENT_APPEND] files were added"), True),
        (PySparkException("[DELTA_CONCURRENT_DELETE_READ.X] a file was deleted"), True),
        (PySparkException("[PATH_NOT_FOUND] no such path"), False),
        (ValueError("DELTA_CONCURRENT_APPEND"), False),
    ],
)
def test_only_another_writer_is_a_reason_to_try_again(error: Exception, is_one: bool) -> None:
    assert is_concurrent(error) == is_one


@pytest.mark.parametrize("size", [20_000, 100_000, 700_000, 20_000_000])
def test_a_byte_is_rewritten_at_most_twice_while_its_day_grows_and_when_it_is_closed(size: int) -> None:
    files: list[tuple[int, int]] = []
    new = rewritten = most_files = 0
    for step in range(12_000):
        files.append((size + 7 * (step % 11), 1))
        new += files[-1][0]
        found = measured(TODAY, files, is_growing=True)
        if due([found], TODAY, None):
            files = [each for each in files if each[0] >= found.limit] + [(found.small_bytes, found.small)]
            rewritten += found.small_bytes
        most_files = max(most_files, len(files))
    rewritten += measured(TODAY, files, is_growing=False).small_bytes
    assert rewritten <= 2 * new
    assert most_files <= 3 * CROWDED_FILES + new // SMALL_BYTES
