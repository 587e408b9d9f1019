"""Fraud is found as plain Python finds it, in whatever order payments come."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from pyspark.sql import SparkSession

from streaming.transforms.fraud import fraud_alerts
from tests.fraud import Alert, Payment, by_hand, found

pytestmark = pytest.mark.spark

START = datetime(2026, 1, 31, 22, tzinfo=UTC)
SCHEMA = "payment_id string, card_id string, customer_id string, country string, event_time timestamp"


def alerts(spark: SparkSession, payments: list[Payment]) -> set[Alert]:
    return found(fraud_alerts(spark.createDataFrame(payments, SCHEMA)).toArrow().to_pylist())


def payment(number: int, card: str, country: str, **after: float) -> Payment:
    return Payment(f"p{number}", card, "u1", country, START + timedelta(**after))


def test_alerts_are_those_of_plain_python(spark: SparkSession) -> None:
    random = Random(3)
    countries = ["DE", "DE", "DE", "FR", "US", "AU", "ZZ"]
    payments = [
        payment(number, f"c{random.randrange(40)}", random.choice(countries), seconds=random.randrange(86_400))
        for number in range(600)
    ]
    bursts = [payment(1000 + number, f"b{number // 9}", "DE", seconds=random.randrange(600)) for number in range(90)]
    due = by_hand(payments + bursts)
    assert alerts(spark, payments + bursts + payments[:50]) == due  # some came twice
    assert {rule for _, rule, *_ in due} == {"velocity", "impossible_travel"} and len(due) > 50


def test_edges_of_both_rules(spark: SparkSession) -> None:
    five = [payment(number, "c1", "DE", seconds=75 * number) for number in range(5)]
    late = [payment(10 + number, "c2", "DE", seconds=74.75 * number) for number in range(5)]
    trip = [payment(20, "c3", "DE", hours=0), payment(21, "c3", "AU", hours=6), payment(22, "c4", "US", hours=1)]
    soon = [payment(30, "c5", "DE", hours=0), payment(31, "c5", "AU", hours=5.99), payment(32, "c5", "AU", hours=6.5)]
    at_once = [payment(40 + number, "c6", "DE", seconds=0 if number < 2 else 60) for number in range(5)]
    assert alerts(spark, [*five, *late, *trip, *soon, *at_once]) == {
        ("p14", "velocity", 5, None, None),
        *((f"p{number}", "velocity", 5, None, None) for number in (42, 43, 44)),
        ("p31", "impossible_travel", None, "DE", 2446),
    }
