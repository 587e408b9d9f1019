"""What `tidemark produce` understands of its options."""

import pytest

from tidemark.domains.mix import Mix
from tidemark.errors import TidemarkError
from tidemark.produce import Plan, plan_of, seconds_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("mix", [(-0.1, 0, 0), (0, 1.5, 0), (0, 0, float("nan"))])
def test_a_share_outside_0_to_1_is_refused_by_its_name(mix: tuple[float, float, float]) -> None:
    with pytest.raises(TidemarkError, match=r"--(bad|duplicate|late)-rate: found .*; allowed is 0 to 1"):
        Mix(*mix)


def test_shares_that_are_more_than_everything_are_refused() -> None:
    with pytest.raises(TidemarkError, match=r"together 1\.1; allowed is at most 1"):
        Mix(0.5, 0.5, 0.1)


@pytest.mark.parametrize(
    ("text", "seconds"), [("60", 60), ("60s", 60), ("5m", 300), ("1.5h", 5400), ("2 d", 172_800), (" 0.5 ", 0.5)]
)
def test_a_time_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-5", "5 minutes", "1e3", "nan", "m", "5m3", "9999d", "\u0665"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(TidemarkError, match=r"--for: found .*; allowed is a time like 60, 60s, 5m or 2h"):
        seconds_of(text)


def test_a_count_is_a_plan_and_so_is_a_rate_for_a_time() -> None:
    assert plan_of(5, None, None) == Plan(5)
    assert plan_of(None, 100, "2m") == Plan(12_000, 100)
    assert plan_of(None, 0.1, "1s") == Plan(1, 0.1)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ((None, None, None), "neither --count nor --rate"),
        ((5, 1.0, None), "--count and --rate"),
        ((5, None, "60"), "--count and --for"),
        ((5, 1.0, "60"), "--count and --rate and --for"),
        ((None, 1.0, None), "--rate"),
        ((None, None, "60"), "--for"),
    ],
)
def test_any_other_plan_is_refused(given: tuple[int | None, float | None, str | None], found: str) -> None:
    with pytest.raises(TidemarkError, match=f"^found {found}; allowed is --count, or --rate with --for"):
        plan_of(*given)


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_below_one_is_refused(count: int) -> None:
    with pytest.raises(TidemarkError, match=f"--count: found {count}; allowed is 1 or more"):
        plan_of(count, None, None)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(TidemarkError, match=r"--rate: found .*; allowed is above 0"):
        plan_of(None, rate, "60")


def test_a_rate_is_kept_smoothly() -> None:
    plan = Plan(1000, 100)
    assert [plan.due(elapsed) for elapsed in (0, 0.009, 0.011, 1, 9.99, 60)] == [1, 1, 2, 101, 1000, 1000]
    assert plan.wait(sent=1, elapsed=0.001) == pytest.approx(0.05)
    assert plan.wait(sent=10, elapsed=0.001) == pytest.approx(0.099)
    assert Plan(10, 0.01).wait(sent=1, elapsed=1) == pytest.approx(0.25)
