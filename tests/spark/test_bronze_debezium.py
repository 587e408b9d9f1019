"""Debezium's change events become bronze rows, unwrapped as its own transform does it."""

import json
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.spark.records import LANDED, Judged, Record
from tidemark.contracts import Contract

pytestmark = pytest.mark.spark

CONTRACT = Contract.model_validate(
    {
        "id": "people",
        "owner": "tests",
        "description": "Rows of a table.",
        "topic": "people",
        "format": "debezium",
        "key": ["id"],
        "eventTime": "changed_at",
        "changeOrder": ["lsn"],
        "tombstone": "delete",
        "schema": [
            {"name": "id", "logicalType": "string", "required": True},
            {"name": "name", "logicalType": "string", "required": True, "maxLength": 5},
            {"name": "age", "logicalType": "integer", "minimum": 0},
            {"name": "op", "logicalType": "string", "required": True, "from": "__op", "enum": ["c", "u", "d", "r"]},
            {"name": "lsn", "logicalType": "integer", "required": True, "from": "__source_lsn"},
            {
                "name": "changed_at",
                "logicalType": "timestamp",
                "unit": "ms",
                "required": True,
                "from": "__source_ts_ms",
            },
            {"name": "transaction", "logicalType": "string", "from": "__transaction_id"},
            {"name": "is_deleted", "logicalType": "string", "from": "__deleted"},
        ],
    }
)
NOW = int(LANDED.timestamp() * 1000)
ANN = {"id": "1", "name": "Ann", "age": 30}


def event(op: str | None, before: Any, after: Any, **changes: Any) -> dict[str, Any]:
    source = {"connector": "postgresql", "lsn": 77, "ts_ms": NOW, "snapshot": "false"}
    transaction = {"id": "tx1", "total_order": 1, "data_collection_order": 1}
    made = {"before": before, "after": after, "source": source, "op": op, "ts_ms": NOW, "transaction": transaction}
    return made | changes


def written(document: Any) -> bytes:
    return json.dumps(document).encode()


CREATED = written(event("c", None, ANN))
RECORDS: dict[str, tuple[bytes | None, list[str]]] = {
    "created": (CREATED, []),
    "updated": (written(event("u", ANN, ANN | {"name": "Anna"})), []),
    "read": (written(event("r", None, ANN, transaction=None)), []),
    "deleted": (written(event("d", {"id": "1", "name": None, "age": None}, None)), []),
    "deleted, key alone": (written(event("d", {"id": "1"}, None)), []),
    "in the converter's wrapper": (written({"schema": {"type": "struct"}, "payload": event("c", None, ANN)}), []),
    "a column more": (written(event("c", None, ANN | {"payload": {"schema": 1}})), []),
    "tombstone": (None, []),
    "empty": (b"", ["empty"]),
    "not utf-8": (CREATED.replace(b"Ann", b"An\xff"), ["encoding"]),
    "cut short": (CREATED[:-3], ["malformed"]),
    "trailing garbage": (CREATED + b"}", ["malformed"]),
    "two events": (CREATED + CREATED, ["malformed"]),
    "an array": (b"[1]", ["not_object"]),
    "a row without an envelope": (
        written(ANN),
        ["missing:op", "missing:lsn", "missing:changed_at", "missing:id", "missing:name"],
    ),
    "no operation": (written(event(None, None, ANN)), ["null:op"]),
    "another operation": (written(event("x", None, ANN)), ["enum:op"]),
    "no image": (written(event("c", None, None)), ["missing:id", "missing:name"]),
    "a delete without its key": (written(event("d", {"name": "Ann"}, None)), ["missing:id"]),
    "null where required": (written(event("u", None, ANN | {"name": None})), ["null:name"]),
    "another type": (written(event("c", None, ANN | {"age": "thirty"})), ["type:age"]),
    "number for text": (written(event("c", None, ANN | {"name": 5})), ["type:name"]),
    "too long": (written(event("c", None, ANN | {"name": "Anneliese"})), ["length:name"]),
    "below minimum": (written(event("c", None, ANN | {"age": -1})), ["range:age"]),
    "no position": (written(event("c", None, ANN, source={"ts_ms": NOW})), ["missing:lsn"]),
    "500 levels": (CREATED[:-1] + b', "x": ' + b"[" * 500 + b"]" * 500 + b"}", ["depth"]),
}


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> Judged:
    return Judged(spark, CONTRACT, {name: Record(value) for name, (value, _) in RECORDS.items()})


def test_every_event_lands_once_with_its_own_reasons(judged: Judged) -> None:
    found = {name: sorted(judged.row[name]["_errors"]) for name in RECORDS}
    assert found == {name: sorted(due) for name, (_, due) in RECORDS.items()}
    judged.check_that_all_is_kept()


def test_rows_have_the_image_and_the_envelope(judged: Judged) -> None:
    envelope = {"lsn": 77, "changed_at": LANDED, "transaction": "tx1"}
    created = ANN | envelope | {"op": "c", "is_deleted": "false"}
    assert judged.columns("created") == judged.columns("in the converter's wrapper") == created
    assert judged.columns("a column more") == created
    assert judged.columns("updated") == created | {"name": "Anna", "op": "u"}
    assert judged.columns("read") == created | {"op": "r", "transaction": None}
    deleted = {"id": "1", "name": None, "age": None, "op": "d", "is_deleted": "true"} | envelope
    assert judged.columns("deleted") == judged.columns("deleted, key alone") == deleted


def test_a_tombstone_is_good_and_has_no_columns(judged: Judged) -> None:
    assert set(judged.columns("tombstone").values()) == {None}
