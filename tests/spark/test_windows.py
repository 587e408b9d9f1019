"""Windows count what plain Python counts."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from pyspark.sql import DataFrame, SparkSession

from streaming.transforms.windows import counted_rides
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


def test_the_columns_are_those_of_the_stream(spark: SparkSession) -> None:
    from streaming.streams.ride_counts import RIDE_COUNTS

    made = counted_rides(frame(spark, [("paid", START)])).schema
    due = RIDE_COUNTS.schema.fields[: len(made)]
    assert [(field.name, field.dataType) for field in made] == [(field.name, field.dataType) for field in due]
    assert set(RIDE_COUNTS.key) <= set(made.fieldNames())
