"""Fraud found in plain Python: slow, and simple enough to be believed."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from math import floor
from typing import Any, NamedTuple

from tidemark.countries import COUNTRIES, distance_km

Alert = tuple[str, str, int | None, str | None, int | None]


class Payment(NamedTuple):
    payment_id: str
    card_id: str
    customer_id: str
    country: str
    event_time: datetime


def by_hand(payments: Iterable[Payment]) -> set[Alert]:
    """Judge each payment by the earlier ones of its card: payment, rule, how many, from where, how fast."""
    cards: dict[str, set[Payment]] = defaultdict(set)
    for payment in payments:
        cards[payment.card_id].add(payment)
    return {alert for card in cards.values() for payment in card for alert in _alerts(payment, card)}


def found(rows: Iterable[dict[str, Any]]) -> set[Alert]:
    """Give the alerts of a table."""
    columns = ("payment_id", "rule", "count_payments", "from_country", "speed_kmh")
    listed = [tuple(row[name] for name in columns) for row in rows]
    assert len({row[:2] for row in listed}) == len(listed)
    return set(listed)


def _alerts(payment: Payment, card: set[Payment]) -> Iterable[Alert]:
    earlier = [
        (payment.event_time - other.event_time, other) for other in card if other.event_time <= payment.event_time
    ]
    recent = [other for gap, other in earlier if gap < timedelta(minutes=5)]
    if len(recent) >= 5:
        yield payment.payment_id, "velocity", len(recent), None, None
    trips = []
    for gap, other in earlier:
        if gap < timedelta(hours=6) and {other.country, payment.country} <= COUNTRIES.keys():
            km = round(distance_km(other.country, payment.country))
            speed = floor(km / max(gap.total_seconds(), 1.0) * 3600)
            if km > 1000 and speed > 1000:
                trips.append((speed, other.country))
    if trips:
        speed, country = max(trips)
        yield payment.payment_id, "impossible_travel", None, country, speed
