"""Whatever bytes come, Spark and a plain Python judge agree: what is good, and what its values are."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from pyspark.sql import SparkSession

from tests.spark.documents import values
from tests.spark.judge import CONTRACT, READERS, judged
from tests.spark.records import Record, Row, as_bronze, collected

pytestmark = pytest.mark.spark

COUNT = 1500


def generated(count: int) -> list[bytes]:
    """Draw values, all at once: a Spark job for each would take the day."""
    found: list[bytes] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(values)
    def gather(value: bytes) -> None:
        found.append(value)

    gather()
    return found


def columns(row: Row) -> Mapping[str, Any] | None:
    """Give the contract's columns of a good row; None: it is bad."""
    return None if row["_errors"] else {name: row[name] for name in READERS}


def same(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(one[name] == other[name] for name in READERS)


def test_spark_and_a_plain_judge_agree_on_any_bytes(spark: SparkSession) -> None:
    sent = generated(COUNT)
    rows = collected(as_bronze(spark, CONTRACT, [Record(value) for value in sent]))
    assert [row["_value"] for row in rows] == sent
    due = [judged(value) for value in sent]
    disagreements = [
        (value, "judge:", verdict, "spark:", row["_errors"] or columns(row))
        for value, verdict, row in zip(sent, due, rows, strict=True)
        if not same(verdict, columns(row))
    ]
    assert disagreements == []
    good = sum(verdict is not None for verdict in due)
    assert COUNT / 10 < good < COUNT * 9 / 10, "the values are too much of one kind to tell anything"
