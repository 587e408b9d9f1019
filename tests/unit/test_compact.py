"""Which days are compacted."""

from datetime import date, timedelta

import pytest

from streaming.batch.compact import CROWDED_FILES, Day, due

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
    assert due([day(when, 100) for when in days], TODAY, None) == sorted(days)


@pytest.mark.parametrize(("small", "is_due"), [(0, False), (1, False), (2, True)])
@pytest.mark.parametrize("wanted", [YESTERDAY, TODAY])
def test_a_named_day_alone_is_due_when_there_is_something_to_join(wanted: date, small: int, is_due: bool) -> None:
    others = [day(when, 100) for when in (TODAY, YESTERDAY, date(2025, 1, 1)) if when != wanted]
    assert due([*others, day(wanted, small)], TODAY, wanted) == [wanted] * is_due


def test_a_named_day_without_files_is_not_due() -> None:
    assert due([day(YESTERDAY, 100)], TODAY, date(2020, 1, 1)) == []
