"""The pace of streams: as quick as they may be, and never more work than the processors have time for."""

from dataclasses import dataclass

import pytest

from streaming.pace import COST, slow_down

pytestmark = pytest.mark.unit


@dataclass
class Timed:
    trigger_seconds: float


def paced(*triggers: float, budget: float = 1.2) -> list[float]:
    streams = [Timed(each) for each in triggers]
    slow_down(streams, budget)
    return [each.trigger_seconds for each in streams]


def test_few_streams_are_as_quick_as_they_may_be() -> None:
    assert paced() == []
    assert paced(0.5) == [0.5]
    assert paced(*[0.5] * 8, *[5.0] * 10, budget=12) == [0.5] * 8 + [5.0] * 10


def test_many_streams_take_no_more_than_their_share() -> None:
    for budget in (0.6, 1.2, 2.4):
        triggers = paced(*[0.5] * 8, *[5.0] * 10, budget=budget)
        assert sum(COST / each for each in triggers) == pytest.approx(budget, rel=0.05)


def test_a_quick_stream_stays_quicker_than_a_slow_one() -> None:
    triggers = paced(*[0.5] * 8, *[5.0] * 10)
    assert 1 < max(triggers[:8]) < min(triggers[8:]) < 20
    assert triggers[13] / triggers[4] == pytest.approx(10**0.5, rel=0.15)


def test_no_two_streams_fire_at_the_same_moment_again_and_again() -> None:
    triggers = paced(*[0.5] * 8, *[5.0] * 10)
    assert len({*triggers}) == 18, "equal triggers fire at the same moment"
    assert max(triggers[:8]) / min(triggers[:8]) < 1.2, "each is about as quick as its equals"


def test_a_stream_without_a_least_time_has_none_among_many_either() -> None:
    assert paced(0, *[0.5] * 40)[0] == 0
