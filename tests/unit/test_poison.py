"""Poison: the offsets that a micro-batch fails for are found by trying halves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.poison import NotIsolated, failing, halves
from tidemark.ledger import Ranges, count

pytestmark = pytest.mark.unit

SPANS = st.dictionaries(st.integers(0, 5), st.tuples(st.integers(0, 50), st.integers(0, 40)), min_size=1)


def ranges_of(spans: dict[int, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    return {partition: (start, start + length) for partition, (start, length) in spans.items()}


def offsets(ranges: Ranges) -> list[tuple[int, int]]:
    return [(partition, offset) for partition, span in sorted(ranges.items()) for offset in range(*span)]


@given(SPANS, st.data())
def test_exactly_the_offsets_that_fail_are_found(spans: dict[int, tuple[int, int]], data: st.DataObject) -> None:
    everything = offsets(ranges_of(spans))
    poisoned = set(data.draw(st.lists(st.sampled_from(everything), max_size=9))) if everything else set()
    found = failing(ranges_of(spans), lambda part: "boom" if poisoned.intersection(offsets(part)) else None)
    assert found == dict.fromkeys(poisoned, "boom")


@given(SPANS)
def test_halves_have_every_offset_once_and_as_many(spans: dict[int, tuple[int, int]]) -> None:
    ranges = ranges_of(spans)
    first, second = halves(ranges)
    assert offsets(first) + offsets(second) == offsets(ranges)
    assert count(second) - count(first) in (0, 1)


def test_one_poisoned_offset_of_a_million_takes_forty_trials() -> None:
    trials: list[Ranges] = []

    def fails(part: Ranges) -> bool | None:
        trials.append(part)
        return True if (1, 77) in offsets({1: part.get(1, (0, 0))}) else None

    assert failing({0: (0, 900_000), 1: (0, 100_000)}, fails) == {(1, 77): True}
    assert len(trials) <= 41


def test_a_batch_that_fails_as_a_whole_is_given_back() -> None:
    with pytest.raises(NotIsolated, match=r"more than 3 records(.|\n)*mend that"):
        failing({0: (0, 50)}, lambda _: "boom", most=3)
