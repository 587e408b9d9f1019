"""Windows count what plain Python counts."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from streaming.speed import SpeedLayer
from streaming.streams.product_sales import PRODUCT_SALES
from streaming.streams.ride_counts import RIDE_COUNTS
from streaming.transforms.windows import counted_rides, summed_sales
from tests.windows import LENGTH, SLIDE, Count, Event, by_hand

pytestmark = pytest.mark.spark

START = datetime(2025, 12, 31, 23, 57, tzinfo=UTC)  # the windows go on into another year


def frame(spark: SparkSession, events: list[Event]) -> DataFrame:
    return spark.createDataFrame(events, "event_type string, event_time timestamp")


def counted(spark: SparkSession, events: list[Event]) -> set[Count]:
    rows = counted_rides(frame(spark, events)).toArrow().to_pylist()
    found = {(row["event_type"], row["window_start"], row["window_end"], row["count_events"]) for row in rows}
    assert len(found) == len(rows)
    return found


def test_counts_are_those_of_plain_python(spark: SparkSession) -> None:
    random = Random(7)
    kinds = ["requested", "started", "paid"]
    events = [
        (random.choice(kinds), START + timedelta(microseconds=random.randrange(360_000_000))) for _ in range(2000)
    ]
    due = by_hand(events)
    assert counted(spark, events) == due
    assert sum(count for *_, count in due) == 2 * len(events)
    assert len(due) > 30


def test_an_event_on_an_edge_is_in_the_window_that_begins_there(spark: SparkSession) -> None:
    edge = START + timedelta(minutes=3)
    assert counted(spark, [("paid", edge), ("paid", edge - timedelta(microseconds=1))]) == {
        ("paid", edge, edge + LENGTH, 1),
        ("paid", edge - SLIDE, edge + SLIDE, 2),
        ("paid", edge - LENGTH, edge, 1),
    }


SALES = "product_id string, quantity bigint, revenue double, customer_id string, event_time timestamp"
LAYERS = [(RIDE_COUNTS, "event_type string, event_time timestamp"), (PRODUCT_SALES, SALES)]


@pytest.mark.parametrize(("layer", "events"), LAYERS)
def test_the_columns_are_those_of_the_stream(spark: SparkSession, layer: SpeedLayer, events: str) -> None:
    made = layer.transform(spark.createDataFrame([], events)).schema
    due = layer.schema.fields[: len(made)]
    assert [(field.name, field.dataType) for field in made] == [(field.name, field.dataType) for field in due]
    assert {*layer.key, layer.event_time} <= set(made.fieldNames())


def sold(spark: SparkSession, *sales: tuple[int, float, str]) -> dict[str, Any]:
    """Give what one product sold in one window."""
    rows = spark.createDataFrame([("p1", *sale, START) for sale in sales], SALES)
    (row,) = summed_sales(rows).toArrow().to_pylist()
    return dict(row)


def test_revenue_is_the_sum_of_the_written_amounts_in_whatever_order(spark: SparkSession) -> None:
    amounts = [0.1, 0.2, 0.3, 1e11, 19.99, 0.0001]
    assert sum(amounts) != sum(reversed(amounts))
    for order in (amounts, amounts[::-1]):
        assert sold(spark, *((1, amount, "c") for amount in order))["revenue"] == 100_000_000_020.5901


def test_a_sum_that_has_no_number_is_null_and_stops_nothing(spark: SparkSession) -> None:
    found = sold(spark, (2**62, 1.0, "c1"), (2**62, 1e300, "c2"), (1, 1.0, "c3"))
    assert (found["quantity"], found["revenue"], found["unique_customers"]) == (None, None, 3)


def test_customers_are_counted_within_the_stated_error(spark: SparkSession) -> None:
    counted = sold(spark, *((1, 1.0, f"customer-{number % 10_000}") for number in range(20_000)))["unique_customers"]
    assert abs(counted - 10_000) <= 3 * 0.05 * 10_000
