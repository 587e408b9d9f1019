"""What is read flat is what the writer wrote; on every other value the reader gives up, and Spark's own judges it."""

import io
import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import fastavro
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from tests.spark.test_bronze_avro import CONTRACT, OWN, with_type, without
from tidemark.writers import flat_plan, writer_of

pytestmark = pytest.mark.spark

MARK = -7
BODY = T.StructType(
    [
        T.StructField("id", T.StringType()),
        T.StructField("ts", T.LongType()),
        T.StructField("n", T.LongType()),
        T.StructField("x", T.DoubleType()),
        T.StructField("b", T.BooleanType()),
        T.StructField("d", T.DateType()),
        T.StructField("t", T.StringType()),
    ]
)
SCHEMA = T.StructType([T.StructField("body", BODY), T.StructField("end", T.LongType())])
PLAIN = without(OWN, "d")
MAKERS: Mapping[str, Any] = {
    "string": lambda random: random.choice(["", "a", "é€😀", "x" * 100, "\x00"]),
    "int": lambda random: random.choice([0, -1, 2**31 - 1, -(2**31), 64]),
    "long": lambda random: random.choice([0, -1, 2**63 - 1, -(2**63), 1_700_000_000_000]),
    "float": lambda random: random.choice([0.0, -1.5, float("inf"), 2.0**100]),
    "double": lambda random: random.choice([0.0, -0.0, 0.1, -1e300, 5e-324]),
    "boolean": lambda random: random.choice([True, False]),
}


def record(*fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in fields]}


FLAT: Mapping[str, dict[str, Any]] = {
    "its own, but for the date": PLAIN,
    "another order": PLAIN | {"fields": PLAIN["fields"][::-1]},
    "narrower numbers": record(("n", "int"), ("x", "float"), ("id", "string"), ("ts", "int")),
    "whole numbers for a real one": record(("x", "long"), ("id", "string")),
    "null first, null last": record(("n", ["null", "int"]), ("x", ["double", "null"]), ("t", ["string", "null"])),
    "fields that nobody knows": record(
        ("more", "string"), ("id", "string"), ("b2", ["null", "boolean"]), ("f", "float")
    ),
    "types with names": record(("id", {"type": "string", "avro.java.string": "String"}), ("b", {"type": "boolean"})),
}
NOT_FLAT: Mapping[str, Any] = {
    "a date, which is written as a number": OWN,
    "another type": with_type(PLAIN, "x", "string"),
    "a real number for a whole one": with_type(PLAIN, "n", "double"),
    "bytes for text": with_type(PLAIN, "id", "bytes"),
    "an array that nobody wants": PLAIN
    | {"fields": [*PLAIN["fields"], {"name": "a", "type": {"type": "array", "items": "int"}}]},
    "a union of three": with_type(PLAIN, "n", ["null", "int", "long"]),
    "a union without null": with_type(PLAIN, "n", ["int", "long"]),
    "an enum": with_type(PLAIN, "t", {"type": "enum", "name": "e", "symbols": ["a"]}),
    "no fields": record(),
}


def plan_of(schema: dict[str, Any]) -> str | None:
    return flat_plan(CONTRACT, writer_of(CONTRACT, 1, json.dumps(schema)))


def made(schema: dict[str, Any], random: Random) -> dict[str, Any]:
    return {each["name"]: _value(each["type"], random) for each in schema["fields"]}


def _value(kind: Any, random: Random) -> Any:
    if isinstance(kind, list):
        return _value(random.choice(kind), random)
    kind = kind["type"] if isinstance(kind, dict) else kind
    return None if kind == "null" else MAKERS[kind](random)


def written(schema: dict[str, Any], fields: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, _parsed(schema), fields)
    return b"\x00\x00\x00\x00\x01" + body.getvalue()


def _parsed(schema: dict[str, Any]) -> Any:
    """Parse a schema anew, its times as the numbers that are written."""
    plain = [each | {"type": "long"} if each["name"] == "ts" else each for each in schema["fields"]]
    return fastavro.parse_schema(schema | {"fields": plain}, {})


def damaged(value: bytes, random: Random) -> bytes:
    place = random.randrange(5, len(value) + 1)
    byte = random.choice([b"", b"\x00", b"\x01", b"\x02", b"\xff", b"\x80" * 11])
    return random.choice([value[:place], value[:place] + byte + value[place + 1 :], value + (byte or b"\x00")])


def read(spark: SparkSession, schema: dict[str, Any], values: Sequence[bytes]) -> list[dict[str, Any] | None]:
    rows = spark.createDataFrame([(bytearray(value),) for value in values], "value binary")
    arguments = [F.lit(each) for each in (SCHEMA.json(), plan_of(schema), MARK)]
    found = rows.select(F.call_function("read_flat_record", "value", *arguments).alias("found")).collect()
    assert {row.found.end for row in found if row.found} <= {MARK}
    return [row.found and row.found.body.asDict() for row in found]


@pytest.mark.parametrize("name", FLAT)
def test_a_record_is_read_as_it_was_written(spark: SparkSession, name: str) -> None:
    random, schema = Random(name), FLAT[name]
    fields = [made(schema, random) for _ in range(100)]
    assert read(spark, schema, [written(schema, one) for one in fields]) == [due(one) for one in fields]


@pytest.mark.parametrize("name", FLAT)
def test_a_damaged_record_is_read_as_it_stands_or_not_at_all(spark: SparkSession, name: str) -> None:
    random, schema = Random(name), FLAT[name]
    values = [damaged(written(schema, made(schema, random)), random) for _ in range(1000)]
    found = [each for each in zip(values, read(spark, schema, values), strict=True) if each[1] is not None]
    assert [each for each in found if not _is_as_it_stands(schema, *each)] == []
    assert len(found) < len(values) * 0.9, "the values are too seldom broken to tell anything"


def _is_as_it_stands(schema: dict[str, Any], value: bytes, found: dict[str, Any] | None) -> bool:
    body = io.BytesIO(value[5:])
    fields: Any = fastavro.schemaless_reader(body, _parsed(schema), None)
    return not body.read() and repr(found) == repr(due(fields))


def due(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is read of fields: every real number as a double."""
    found = {name: fields.get(name) for name in BODY.names}
    return found | {"x": None if found["x"] is None else float(found["x"])}


@pytest.mark.parametrize("name", NOT_FLAT)
def test_what_is_not_plain_has_no_plan(name: str) -> None:
    assert plan_of(NOT_FLAT[name]) is None
