"""Avro records become bronze rows: each read by its writer's schema, each bad one with its own reason."""

import io
import json
from typing import Any

import fastavro
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from streaming.transforms.avro_records import UNRESOLVED, AvroRecords, unresolved_ids
from tests.spark.records import LANDED, Judged, Record, as_bronze
from tidemark.avro_schemas import avro_schema
from tidemark.contracts import Contract
from tidemark.writers import END_BYTES, writer_of

pytestmark = pytest.mark.spark

CONTRACT = Contract.model_validate(
    {
        "id": "trips",
        "owner": "tests",
        "description": "A column of each kind.",
        "topic": "trips",
        "format": "avro",
        "key": ["id"],
        "eventTime": "at",
        "schema": [
            {"name": "id", "logicalType": "string", "required": True, "maxLength": 6},
            {"name": "at", "logicalType": "timestamp", "required": True, "unit": "ms", "from": "ts"},
            {"name": "n", "logicalType": "integer", "minimum": -5, "maximum": 10},
            {"name": "x", "logicalType": "number", "required": True},
            {"name": "b", "logicalType": "boolean"},
            {"name": "d", "logicalType": "date"},
            {"name": "t", "logicalType": "timestamp"},
            {"name": "source", "logicalType": "string", "source": "header"},
        ],
    }
)
NOW = int(LANDED.timestamp() * 1000)
GOOD: dict[str, Any] = {"id": "a", "ts": NOW, "n": 3, "x": 1.5, "b": True, "d": 19000, "t": "2026-01-01T02:03:04Z"}


def without(schema: dict[str, Any], *names: str) -> dict[str, Any]:
    return schema | {"fields": [each for each in schema["fields"] if each["name"] not in names]}


def with_type(schema: dict[str, Any], name: str, kind: Any) -> dict[str, Any]:
    fields = [{"name": name, "type": kind} if each["name"] == name else each for each in schema["fields"]]
    return schema | {"fields": fields}


OWN = avro_schema(CONTRACT)
SCHEMAS: dict[int, Any] = {
    1: OWN,
    # Another's name for it, older types, fields in another order, and one that the contract does not know
    7: {
        "type": "record",
        "name": "Trip",
        "namespace": "com.example",
        "fields": [
            {"name": "more", "type": "string"},
            {"name": "x", "type": "float"},
            {"name": "ts", "type": "long"},
            {"name": "n", "type": "int"},
            {"name": "id", "type": "string"},
        ],
    },
    300: without(OWN, "x"),
    301: with_type(OWN, "x", "string"),
    302: with_type(OWN, "x", ["null", "double"]),
    303: "string",
    # A record that is a field of itself
    304: OWN | {"fields": [*OWN["fields"], {"name": "before", "type": ["null", "tidemark.trips"], "default": None}]},
}
WRITERS = {number: writer_of(CONTRACT, number, json.dumps(schema)) for number, schema in SCHEMAS.items()}
DECODER = AvroRecords(WRITERS, frozenset({99, 2**31 + 5}))


def framed(schema_id: int, value: Any, **changes: Any) -> bytes:
    out = io.BytesIO()
    fields = value | changes if changes else value
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMAS[schema_id]), fields)
    return b"\x00" + schema_id.to_bytes(4, "big") + out.getvalue()


RECORDS: dict[str, tuple[bytes | None, list[str]]] = {
    "good": (framed(1, GOOD), []),
    "all optional ones null": (framed(1, {"id": "b", "ts": NOW, "x": 0.0}), []),
    "another writer": (framed(7, {"id": "c", "ts": NOW, "n": 2, "x": 0.5, "more": "m"}), []),
    "tombstone": (None, ["tombstone"]),
    "empty": (b"", ["empty"]),
    "json": (b'{"id": "a"}', ["magic"]),
    "frame cut short": (b"\x00\x00\x00", ["malformed"]),
    "no body": (framed(1, GOOD)[:5], ["malformed"]),
    "body cut short": (framed(1, GOOD)[:-4], ["malformed"]),
    "a byte behind the body": (framed(1, GOOD) + b"\x00", ["malformed"]),
    "a mark like ours behind the body": (framed(1, GOOD) + END_BYTES, ["malformed"]),
    "a mark like ours behind the body, and more": (framed(1, GOOD) + END_BYTES + bytes(range(40)), ["malformed"]),
    "two bodies": (framed(1, GOOD) + framed(1, GOOD)[5:], ["malformed"]),
    "another type, and a byte behind": (framed(301, GOOD, x="1.5") + b"\x00", ["malformed"]),
    "a record in itself": (framed(304, GOOD, before=GOOD | {"before": GOOD}), []),
    "a record in itself, and a byte behind": (framed(304, GOOD, before=GOOD) + b"\x00", ["malformed"]),
    "unknown id": (b"\x00" + (99).to_bytes(4, "big") + b"abc", ["unknown_schema"]),
    "unknown id beyond 31 bits": (b"\x00" + (2**31 + 5).to_bytes(4, "big") + b"abc", ["unknown_schema"]),
    "writer without a required field": (framed(300, GOOD), ["missing:x"]),
    "writer with another type": (framed(301, GOOD, x="1.5"), ["type:x"]),
    "null where required": (framed(302, GOOD, x=None), ["null:x"]),
    "optional to its writer, but there": (framed(302, GOOD), []),
    "no record": (framed(303, "text"), ["not_object"]),
    "too long": (framed(1, GOOD, id="seven77"), ["length:id"]),
    "below minimum": (framed(1, GOOD, n=-6), ["range:n"]),
    "infinite": (framed(1, GOOD, x=float("inf")), ["range:x"]),
    "not a number": (framed(1, GOOD, x=float("nan")), ["range:x"]),
    "not utf-8": (framed(1, GOOD).replace(b"\x02a", b"\x02\xff", 1), ["encoding:id"]),
    "no time": (framed(1, GOOD, t="noon"), ["type:t"]),
    "ten years ahead": (framed(1, GOOD, ts=NOW + 10 * 365 * 86_400_000), ["future:at"]),
}


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> Judged:
    records = {name: Record(value, headers=(("source", b"app"),)) for name, (value, _) in RECORDS.items()}
    return Judged(spark, CONTRACT, records, DECODER)


def test_every_record_lands_once_with_its_own_reason(judged: Judged) -> None:
    assert {name: judged.row[name]["_errors"] for name in RECORDS} == {name: due for name, (_, due) in RECORDS.items()}
    assert [row["_value"] for row in judged.rows] == [value for value, _ in RECORDS.values()]


def test_good_values_are_typed_as_the_contract_says(judged: Judged) -> None:
    found = judged.columns("good")
    assert (found["id"], found["at"], found["n"], found["x"], found["b"]) == ("a", LANDED, 3, 1.5, True)
    assert (str(found["d"]), found["t"].isoformat(), found["source"]) == (
        "2022-01-08",
        "2026-01-01T02:03:04+00:00",
        "app",
    )
    assert judged.columns("another writer") == dict.fromkeys(found) | {
        "id": "c",
        "at": LANDED,
        "n": 2,
        "x": 0.5,
        "source": "app",
    }
    assert judged.columns("optional to its writer, but there") == found


def test_the_id_of_the_writers_schema_is_kept(judged: Judged) -> None:
    ids = {name: judged.row[name]["_schema_id"] for name in RECORDS}
    assert (ids["good"], ids["another writer"], ids["writer with another type"], ids["unknown id"]) == (1, 7, 301, 99)
    assert [name for name, found in ids.items() if found is None] == [
        "tombstone",
        "empty",
        "json",
        "frame cut short",
        "unknown id beyond 31 bits",
    ]


def test_an_id_that_nobody_looked_up_fails_the_batch_and_is_named(spark: SparkSession) -> None:
    records = [
        Record(framed(1, GOOD)),
        Record(framed(7, {"id": "c", "ts": NOW, "n": 2, "x": 0.5, "more": "m"})),
        Record(b"[1]"),
    ]
    decoder = AvroRecords({1: WRITERS[1]})
    with pytest.raises(PySparkException, match=f"{UNRESOLVED} 7"):
        as_bronze(spark, CONTRACT, records, decoder).collect()
    frame = as_bronze(spark, CONTRACT, records, AvroRecords(WRITERS)).select("_value")
    assert [row[0] for row in unresolved_ids(frame, decoder).collect()] == [7]
    assert unresolved_ids(frame, AvroRecords({}, frozenset({1}))).collect() == [(7,)]


@pytest.mark.parametrize("asked", ["size(_errors) = 0", "n IS NOT NULL", "x > 5", "_schema_id = 2"])
def test_no_filter_takes_an_unread_record_for_another(spark: SparkSession, asked: str) -> None:
    rows = as_bronze(spark, CONTRACT, [Record(framed(1, GOOD))], AvroRecords({}))
    with pytest.raises(PySparkException, match=f"{UNRESOLVED} 1"):
        rows.where("size(_errors) = 0").where(asked).select("id").collect()


def test_a_body_that_ends_anywhere_but_at_its_end_is_malformed(spark: SparkSession) -> None:
    whole = framed(1, GOOD)
    ends = [*range(5, len(whole)), len(whole)]
    rows = as_bronze(spark, CONTRACT, [Record(whole[:end]) for end in ends], DECODER).toArrow().to_pylist()
    assert len(rows) > 40
    assert [row["_errors"] for row in rows] == [["malformed"]] * (len(rows) - 1) + [[]]
