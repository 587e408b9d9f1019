"""Rides and card payments made with one seed tell of the same rides; some cards are abused."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from tidemark.countries import COUNTRIES, distance_km
from tidemark.domains.card_payments import CardPayments
from tidemark.domains.event import Domain
from tidemark.domains.rides import Rides

pytestmark = pytest.mark.unit

NOW = 1_750_000_000_000
MINUTE = 60_000


def fields(domain: Domain, count: int, tick: int = 0) -> list[dict[str, Any]]:
    """Let things happen, `tick` ms after each other."""
    events = (domain.event(NOW + number * tick, 0).fields for number in range(count))
    return [each for each in events if each is not None]


def payments(seed: int, count: int = 3000, tick: int = 0) -> list[dict[str, Any]]:
    return fields(CardPayments(Random(seed), seed), count, tick)


@pytest.fixture(scope="module")
def paid() -> dict[str, dict[str, Any]]:
    """Give the events `paid` of 20,000 ride events, by their ids."""
    return {each["event_id"]: each for each in fields(Rides(Random(5), 5), 20_000) if each["event_type"] == "paid"}


def test_most_payments_are_for_rides_of_the_seed_and_by_their_riders(paid: dict[str, dict[str, Any]]) -> None:
    made = payments(5)
    for_rides = [each for each in made if "ride_event_id" in each]
    assert 0.8 < len(for_rides) / len(made) < 0.9
    assert {each["ride_event_id"] for each in for_rides} <= paid.keys()
    assert len({each["ride_event_id"] for each in for_rides}) == len(for_rides)
    users = [paid[each["ride_event_id"]]["user_id"].removeprefix("user-") for each in for_rides]
    assert [each["customer_id"].removeprefix("customer-") for each in for_rides] == users
    amounts = [(each["amount"], paid[each["ride_event_id"]]["amount"]) for each in for_rides]
    assert all(amount >= price >= amount - 1 for amount, price in amounts)
    assert sum(amount == price for amount, price in amounts) > len(amounts) / 2


def test_some_rides_are_paid_without_a_card(paid: dict[str, dict[str, Any]]) -> None:
    by_card = {each.get("ride_event_id") for each in payments(5, 8000)}
    first = list(paid)[:4000]
    assert 0.05 < sum(event not in by_card for event in first) / len(first) < 0.15


def test_another_seed_has_other_rides(paid: dict[str, dict[str, Any]]) -> None:
    assert paid.keys().isdisjoint(each.get("ride_event_id") for each in payments(6))


def by_card(made: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    cards = defaultdict(list)
    for each in sorted(made, key=lambda payment: int(payment["ts"])):
        cards[each["card_id"]].append(each)
    return cards


def test_rarely_a_card_pays_eight_times_within_a_minute() -> None:
    # 2 s from one payment to the next: a burst is over before others pay
    made = payments(3, 20_000, tick=2000)
    bursts = [
        card
        for card, own in by_card(made).items()
        if any(last["ts"] - first["ts"] < MINUTE for first, last in zip(own, own[7:], strict=False))
    ]
    assert 5 < len(bursts) < 40


@pytest.mark.parametrize("tick", [0, 2000])
def test_rarely_the_next_payment_is_on_another_continent(tick: int) -> None:
    trips = []
    for own in by_card(payments(4, 20_000, tick)).values():
        homes = [each["country"] for each in own]
        trips += [(a, b) for a, b in pairwise(own) if a["country"] != b["country"] and b["country"] != homes[0]]
    assert 5 < len(trips) < 40
    for before, after in trips:
        assert COUNTRIES[before["country"]].continent != COUNTRIES[after["country"]].continent
        assert distance_km(before["country"], after["country"]) > 5000
        assert (2 if tick else 0) * MINUTE <= after["ts"] - before["ts"] + 1000 < 16 * MINUTE


def test_distances_are_those_of_the_globe() -> None:
    assert len(COUNTRIES) >= 40
    assert distance_km("DE", "DE") == 0
    # Half of a meridian is 20,015 km; Spain's antipode is in New Zealand
    assert 19_000 < distance_km("ES", "NZ") < 20_016
    assert distance_km("DE", "AT") == pytest.approx(521, abs=5)
