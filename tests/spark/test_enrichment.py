"""Payments are joined with their customers and rides as plain Python joins them."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession

from streaming.streams.enrichment import PAYMENT_RIDES, PAYMENTS_ENRICHED
from streaming.transforms.enrichment import with_customers, with_rides

pytestmark = pytest.mark.spark

AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
PAYMENTS = (
    "payment_id string, event_time timestamp, card_id string, customer_id string, amount double, currency string, "
    "country string, merchant string, ride_event_id string"
)


def payments(spark: SparkSession, *named: tuple[str, str, str | None]) -> DataFrame:
    """Make payments of (payment, customer, ride)."""
    rows = [(name, AT, "c", customer, 5.0, "EUR", "DE", "m", ride) for name, customer, ride in named]
    return spark.createDataFrame(rows, PAYMENTS)


def test_a_payment_has_its_customer_as_of_now(spark: SparkSession) -> None:
    made = payments(
        spark, ("p1", "u1", None), ("p1", "u1", None), ("p2", "u2", None), ("p3", "gone", None), ("p4", "?", None)
    )
    customers = spark.createDataFrame(
        [("u1", "gold", "DE", AT, False), ("u2", "new", "FR", AT, False), ("gone", "new", "FR", AT, True)],
        "customer_id string, segment string, country string, changed_at timestamp, is_deleted boolean",
    )
    rows = with_customers(made, customers)
    found = {row["payment_id"]: (row["customer_segment"], row["is_abroad"]) for row in rows.toArrow().to_pylist()}
    assert rows.count() == 4
    assert found == {"p1": ("gold", False), "p2": ("new", True), "p3": (None, None), "p4": (None, None)}
    due = PAYMENTS_ENRICHED.schema.fields[: len(rows.schema)]
    assert [(each.name, each.dataType) for each in rows.schema] == [(each.name, each.dataType) for each in due]


def test_a_payment_has_its_ride_within_a_quarter_of_an_hour(spark: SparkSession) -> None:
    minutes = {"before": -15, "after": 15, "early": -15.01, "late": 15.01}
    made = payments(
        spark, *[(name, "u", f"ride-{name}") for name in minutes], ("no ride", "u", None), ("lost", "u", "x")
    )
    rides = [(f"ride-{name}", AT + timedelta(minutes=away), "u9", 7.5) for name, away in minutes.items()]
    events = "event_id string, event_time timestamp, user_id string, amount double"
    rows = with_rides(made, spark.createDataFrame([*rides, rides[0]], events))
    found = {row["payment_id"]: (row["is_matched"], row["ride_user_id"]) for row in rows.toArrow().to_pylist()}
    matched, unmatched = (True, "u9"), (False, None)
    assert rows.count() == 5
    assert found == {"before": matched, "after": matched, "early": unmatched, "late": unmatched, "lost": unmatched}
    due = PAYMENT_RIDES.schema.fields[: len(rows.schema)]
    assert [(each.name, each.dataType) for each in rows.schema] == [(each.name, each.dataType) for each in due]
