"""The demo's models: rides and sales as they could happen."""

from collections import Counter, defaultdict
from random import Random
from typing import Any

import pytest

from tidemark.debezium import unwrapped
from tidemark.domains import MODELS
from tidemark.domains.rides import Rides
from tidemark.domains.sales import Sales

pytestmark = pytest.mark.unit

HOUR = 3_600_000
DAY = 20_000 * 24 * HOUR  # a midnight


def rides(count: int, now: int = DAY, late: float = 0.0) -> list[tuple[dict[str, Any], bytes | None]]:
    random = Random(3)
    model = Rides(random, 3)
    events = [model.event(now, HOUR if random.random() < late else 0) for _ in range(count)]
    return [(event.fields or {}, event.key) for event in events]


def test_a_ride_goes_its_way_in_order() -> None:
    by_ride: dict[bytes | None, list[tuple[str, int, float]]] = defaultdict(list)
    for fields, key in rides(20_000, late=0.1):
        by_ride[key].append((fields["event_type"], fields["ts"], fields["amount"]))
    way = ["requested", "started", "completed", "paid"]
    for events in by_ride.values():
        kinds, times, amounts = (list(each) for each in zip(*events, strict=True))
        assert kinds in (way[: len(kinds)], ["requested", "cancelled"])
        assert times == sorted(set(times))
        assert amounts == sorted(amounts)
    ends = Counter(events[-1][0] for events in by_ride.values())
    assert ends["paid"] > 10 * ends["cancelled"] > 1000


def test_several_rides_are_under_way_at_once() -> None:
    assert len({key for _, key in rides(2100)[2000:]}) > 30


def test_every_event_has_its_own_id() -> None:
    assert len({fields["event_id"] for fields, _ in rides(5000)}) == 5000


def test_all_events_of_a_late_ride_are_late() -> None:
    ages: dict[bytes | None, set[bool]] = defaultdict(set)
    for fields, key in rides(5000, late=0.3):
        ages[key].add(DAY - fields["ts"] > HOUR / 2)
    assert {len(each) for each in ages.values()} == {1}
    assert {True} in ages.values()


def test_rides_cost_more_at_rush_hour() -> None:
    def mean(hour: int) -> float:
        ends = [fields for fields, _ in rides(5000, DAY + hour * HOUR) if fields["event_type"] == "paid"]
        paid = [each["amount"] for each in ends]
        return float(sum(paid) / len(paid))

    assert mean(18) > 1.5 * mean(4)


def sales(count: int, seed: int) -> list[dict[str, Any]]:
    model = Sales(Random(seed))
    return [model.event(DAY, 0).fields or {} for _ in range(count)]


def test_a_product_costs_the_same_in_every_run() -> None:
    paid: dict[str, list[float]] = defaultdict(list)
    for sale in sales(10_000, seed=1) + sales(10_000, seed=2):
        paid[sale["product_id"]].append(sale["revenue"] / sale["quantity"])
    # One price, and discounts of at most a quarter; a cent is what rounding can do
    assert all(max(each) * 0.75 - 0.01 <= min(each) for each in paid.values())
    assert len(paid) > 400


def test_few_products_sell_much() -> None:
    sold = Counter(sale["product_id"] for sale in sales(10_000, seed=1))
    assert sum(number for _, number in sold.most_common(50)) > 5000


def test_a_sale_has_its_id_as_key_and_says_where_it_comes_from() -> None:
    model = Sales(Random(1))
    events = [model.event(DAY, 0) for _ in range(1000)]
    assert len({event.key for event in events}) == 1000
    assert {tuple(name for name, _ in event.headers) for event in events} == {("source", "version")}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_says_what_it_gives(name: str) -> None:
    given = set()
    domain = MODELS[name].make(Random(1), 1)
    for event in (domain.event(DAY, 0) for _ in range(3000)):
        fields = unwrapped(event.fields) if name == "customers" else event.fields
        given |= {wire for wire, value in (fields or {}).items() if value is not None}
        given |= dict(event.headers).keys()
    assert given == MODELS[name].wires
