"""Sessions are those of plain Python."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from pyspark.sql import SparkSession

from streaming.streams.sessions import SESSIONS
from streaming.transforms.sessions import sessions_of
from tests.sessions import GAP, Session, View, in_order, sessions_by_hand

pytestmark = pytest.mark.spark

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def sessions(spark: SparkSession, views: Sequence[View]) -> Sequence[Session]:
    rows = [(view.id, view.visitor, view.page, view.at) for view in views]
    frame = spark.createDataFrame(rows, "view_id string, visitor_id string, page string, event_time timestamp")
    made = sessions_of(frame)
    due = SESSIONS.schema.fields[: len(made.columns)]
    assert [(field.name, field.dataType) for field in made.schema] == [(each.name, each.dataType) for each in due]
    return in_order(made.toArrow().to_pylist())


def test_sessions_are_those_of_plain_python_whatever_the_order_and_however_often_a_view_is_sent(
    spark: SparkSession,
) -> None:
    random = Random(3)
    views = []
    for visitor in ("a", "b", "c"):
        at = NOON
        for number in range(60):
            # Two at one instant, pauses of the gap to the microsecond, and around it
            at += random.choice([GAP * 0, GAP, GAP + MICROSECOND, GAP - MICROSECOND, GAP / 7, GAP * 2])
            views.append(View(f"{visitor}{random.random()}", visitor, f"/{number}", at))
    sent = [*views, *random.choices(views, k=40)]
    random.shuffle(sent)
    due = sessions_by_hand(views)
    assert sessions(spark, sent) == due
    assert {True, False} == {session["is_bounce"] for session in due}
    assert len(due) > 30


def test_a_pause_of_the_gap_goes_on_with_the_session_and_a_longer_one_ends_it(spark: SparkSession) -> None:
    ends = [
        View("1", "a", "/", NOON),
        View("2", "a", "/cart", NOON + GAP),
        View("3", "a", "/", NOON + 2 * GAP + MICROSECOND),
    ]
    first, second = sessions(spark, ends)
    assert (first["count_pages"], first["exit_page"], first["window_end"]) == (2, "/cart", NOON + 2 * GAP)
    assert (second["count_pages"], second["is_bounce"], second["duration_seconds"]) == (1, True, 0.0)
