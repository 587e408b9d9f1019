"""What a mirror sends: good records as they are, bad ones with the headers that Kafka Connect would give them."""

import pytest
from pyspark.sql import SparkSession

from streaming.transforms.mirror import mirrored
from tests.spark.records import Record, as_bronze
from tidemark.contracts import read_contract
from tidemark.settings import ROOT

pytestmark = pytest.mark.spark

CONTRACT = read_contract(ROOT / "contracts" / "app_logs.yaml")
GOOD = b'{"log_id":"1","service":"api","level":"INFO","message":"","timestamp":"2026-01-02T03:04:05Z"}'
OWN = (("a", b"1"), ("a", None))
BEFORE = (("__connect.errors.topic", b"elsewhere"),)


def report(offset: int, reasons: str, topic: str = "app_logs") -> dict[str, bytes]:
    texts = {
        "topic": topic,
        "partition": "3",
        "offset": str(offset),
        "connector.name": "mirror_app_logs",
        "task.id": "0",
        "stage": "VALUE_CONVERTER",
        "class.name": "tidemark.contracts.Contract",
        "exception.class.name": "org.apache.kafka.connect.errors.DataException",
        "exception.message": reasons,
    }
    return {f"__connect.errors.{name}": text.encode() for name, text in texts.items()}


def test_good_records_stay_as_they_are_and_bad_ones_say_why_as_kafka_connect_does(spark: SparkSession) -> None:
    bad = GOOD.replace(b"INFO", b"LOUD").replace(b'"log_id":"1",', b"")
    records = [
        Record(GOOD, headers=OWN),
        Record(GOOD, key=None),
        Record(bad, headers=OWN),
        Record(None),
        Record(b"{", key=None, headers=BEFORE),
    ]
    rows = mirrored(as_bronze(spark, CONTRACT, records), CONTRACT, "mirror_app_logs").toArrow().to_pylist()
    assert [row["topic"] for row in rows] == ["app_logs.clean"] * 2 + ["app_logs.dlq"] * 3
    assert [(row["partition"], row["key"], row["value"]) for row in rows] == [
        (3, each.key, each.value) for each in records
    ]
    headers = [row["headers"] and [tuple(header.values()) for header in row["headers"]] for row in rows]
    assert headers[:2] == [list(OWN), None]
    assert headers[2] == [*OWN, *report(2, "missing:log_id, enum:level").items()]
    assert headers[3] == [*report(3, "tombstone").items()]
    # A record that was reported before keeps where that was, as with Connect
    assert dict(headers[4]) == report(4, "malformed", topic="elsewhere")
    assert headers[4][0] == BEFORE[0]
