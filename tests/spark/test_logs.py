"""Error rates and top messages are those of plain Python, however the lines are cut into micro-batches."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from streaming.speed_table import SpeedTable
from streaming.streams.log_errors import LOG_ERRORS
from streaming.transforms.fingerprints import without_values
from streaming.transforms.logs import counted_logs, error_rates
from tests.log_lines import MINUTE, Line, in_order, lines, rates_by_hand

pytestmark = pytest.mark.spark

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MESSAGES = [
    ("GET /v1/orders/4711 200 in 35 ms", "GET /v<number>/orders/<number> <number> in <number> ms"),
    ("took 1,234.50 s, 3.5 s and 12 s.", "took <number> s, <number> s and <number> s."),
    ("job 0f3a9b12cd34 and job 123456789012 of 0xFF", "job <number> and job <number> of <number>"),
    ("id 6f1c2d34-aaaa-bbbb-CCCC-0123456789ab gone", "id <uuid> gone"),
    ("from 10.0.0.1:8080, 10.20.30.40.", "from <ip>:<number>, <ip>."),
    (
        "from fe80::1 and ::1 and 2001:db8:0:0:1:2:3:4 at 12:30:45",
        "from <ip> and <ip> and <ip> at <number>:<number>:<number>",
    ),
    ("can't find 'the user''s cart' or \"a 'b' 7\"", "can't find <text><text> or <text>"),
    ("std::bad_alloc in feedback of a facade, decade 5", "std::bad_alloc in feedback of a facade, decade <number>"),
    ("Zeitüberschreitung nach 5 s, 日本7 und é5", "Zeitüberschreitung nach <number> s, 日本<number> und é<number>"),
    ("", ""),
]


def test_a_message_is_what_is_left_without_its_values(spark: SparkSession) -> None:
    said = spark.createDataFrame([(text,) for text, _ in MESSAGES], "message string")
    found = [row[0] for row in said.select(without_values(F.col("message"))).collect()]
    assert found == [left for _, left in MESSAGES]


def test_rates_and_top_messages_are_those_of_plain_python_batch_by_batch(spark: SparkSession, tmp_path: Path) -> None:
    logged = lines(Random(5), count=900, messages=12, first=NOON, within=2 * MINUTE)
    table = SpeedTable(str(tmp_path / "rates"), LOG_ERRORS.key, LOG_ERRORS.event_time, error_rates)
    table.create(to_arrow_schema(LOG_ERRORS.schema))
    for start, end in pairwise((0, 300, 310, 900)):
        # What the stream gives in update mode: the counts that have changed, each in full
        counts, new = counted(spark, logged[:end]), keys(counted(spark, logged[start:end]))
        table.upsert(counts.filter(pa.array([key in new for key in keys(counts)])))
        found = DeltaTable(str(tmp_path / "rates")).to_pyarrow_table().drop_columns(["is_final", "updated_at"])
        assert in_order(found.to_pylist()) == rates_by_hand(logged[:end])


def counted(spark: SparkSession, logged: Sequence[Line]) -> pa.Table:
    """Count lines as the stream does, with what it adds to its results."""
    rows = [(line.service, line.level, line.message, line.at) for line in logged]
    frame = spark.createDataFrame(rows, "service string, level string, message string, event_time timestamp")
    return counted_logs(frame).withColumns({"is_final": F.lit(False), "updated_at": F.current_timestamp()}).toArrow()


def keys(counts: pa.Table) -> Sequence[tuple[Any, ...]]:
    return [tuple(row.values()) for row in counts.select(["service", "window_start", "fingerprint"]).to_pylist()]
