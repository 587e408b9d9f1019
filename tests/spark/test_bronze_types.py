"""Every logical type and limit: what is within is kept, what is outside is told."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from streaming.schema import bronze_schema
from tests.spark.records import LANDED, Judged, Record
from tidemark import bronze
from tidemark.contracts import Contract

pytestmark = pytest.mark.spark

SECONDS = int(LANDED.timestamp())

# One column of each type and limit; none of them is required.
MADE = Contract.model_validate(
    {
        "id": "made",
        "owner": "tests",
        "description": "Every type and limit.",
        "topic": "made",
        "format": "json",
        "tombstone": "delete",
        "version": "3.2.1",
        "key": ["id"],
        "eventTime": "at",
        "schema": [
            {"name": "id", "logicalType": "string", "required": True},
            {"name": "at", "logicalType": "timestamp", "required": True, "unit": "s"},
            {"name": "whole", "logicalType": "integer", "minimum": -5, "maximum": 10},
            {"name": "any_whole", "logicalType": "integer"},
            {"name": "real", "logicalType": "number", "minimum": 0.5, "maximum": 2},
            {"name": "flag", "logicalType": "boolean"},
            {"name": "color", "logicalType": "string", "enum": ["red", "true", "5"]},
            {"name": "code", "logicalType": "string", "pattern": r"[A-Z]{2}\d+|x"},
            {"name": "short", "logicalType": "string", "maxLength": 3},
            {"name": "born", "logicalType": "date", "from": "birth-day"},
            {"name": "seen", "logicalType": "timestamp"},
            {"name": "micros", "logicalType": "timestamp", "unit": "us"},
        ],
    }
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Of each column: JSON as it is written, and what it becomes.
GOOD_VALUES: list[tuple[str, str, Any]] = [
    *[("whole", "-5", -5), ("whole", "10", 10), ("whole", "-0", 0), ("whole", "null", None)],
    *[("any_whole", str(2**63 - 1), 2**63 - 1), ("any_whole", str(-(2**63)), -(2**63))],
    *[
        ("real", "0.5", 0.5),
        ("real", "2", 2.0),
        ("real", "1e0", 1.0),
        ("real", "1." + "1" * 50, 10 / 9),
        ("real", "null", None),
    ],
    *[("flag", "true", True), ("flag", "false", False), ("flag", "null", None)],
    *[("color", '"red"', "red"), ("color", '"true"', "true"), ("color", '"5"', "5"), ("color", "null", None)],
    *[("code", '"AB12"', "AB12"), ("code", '"x"', "x"), ("code", r'"\u0041B7"', "AB7")],
    *[
        ("short", '"abc"', "abc"),
        ("short", '"é€😀"', "é€😀"),
        ("short", r'"\ud83d\ude00\u00e9"', "😀é"),
        ("short", '""', ""),
    ],
    *[("born", '"2024-02-29"', date(2024, 2, 29)), ("born", '"0001-01-01"', date(1, 1, 1))],
    *[("born", '"9999-12-31"', date(9999, 12, 31)), ("born", "null", None)],
    *[
        ("seen", '"2024-02-29T10:00:00Z"', at("2024-02-29T10:00:00")),
        ("seen", '"2024-02-29 10:00"', at("2024-02-29T10:00:00")),
    ],
    *[
        ("seen", '"2024-02-29T10:00:00.123456789+02:30"', at("2024-02-29T07:30:00.123456")),
        ("seen", '"2024-02-29"', at("2024-02-29")),
    ],
    *[
        ("seen", '"0001-01-01T00:00:00Z"', at("0001-01-01")),
        ("seen", '"9999-12-31T23:59:59Z"', at("9999-12-31T23:59:59")),
    ],
    *[
        ("seen", "null", None),
        ("micros", "1", at("1970-01-01T00:00:00.000001")),
        ("micros", "-1", at("1969-12-31T23:59:59.999999")),
    ],
    *[
        ("micros", "253402300799999999", at("9999-12-31T23:59:59.999999")),
        ("micros", "-62135596800000000", at("0001-01-01")),
    ],
]
BAD_VALUES: list[tuple[str, str, Sequence[str]]] = [
    *[("whole", "-6", ["range:whole"]), ("whole", "11", ["range:whole"]), ("whole", "1.0", ["type:whole"])],
    *[("whole", "1e0", ["type:whole"]), ("whole", '"1"', ["type:whole"]), ("whole", "true", ["type:whole"])],
    *[("whole", "[1]", ["type:whole"]), ("whole", "01", ["malformed"]), ("whole", "NaN", ["malformed", "range:whole"])],
    *[("any_whole", str(2**63), ["type:any_whole"]), ("any_whole", "1e400", ["type:any_whole"])],
    *[("real", "0.49", ["range:real"]), ("real", "2.01", ["range:real"]), ("real", '"1"', ["type:real"])],
    *[
        ("real", "1e400", ["range:real"]),
        ("real", "-1e400", ["range:real"]),
        ("real", "-Infinity", ["malformed", "range:real"]),
    ],
    *[
        ("real", "{}", ["type:real"]),
        ("real", "false", ["type:real"]),
        ("real", ".5", ["malformed"]),
        ("real", "+1", ["malformed"]),
    ],
    *[("flag", '"true"', ["type:flag"]), ("flag", "1", ["type:flag"]), ("flag", "True", ["malformed"])],
    *[
        ("color", '"Red"', ["enum:color"]),
        ("color", '""', ["enum:color"]),
        ("color", "5", ["type:color"]),
    ],
    *[("color", "true", ["type:color"]), ("color", '"red\\n"', ["enum:color"])],
    *[("code", '"AB"', ["pattern:code"]), ("code", '"zAB1"', ["pattern:code"]), ("code", '"AB1z"', ["pattern:code"])],
    *[
        ("code", r'"x\n"', ["pattern:code"]),
        ("code", r'"x\u2028"', ["pattern:code"]),
        ("code", r'"AB\u0661"', ["pattern:code"]),
    ],
    *[("short", '"abcd"', ["length:short"]), ("short", '"é€😀x"', ["length:short"])],
    *[
        ("born", text, ["type:born"])
        for text in ('"2023-02-29"', '"2024-2-9"', '"2024"', '"20240229"', '"today"', '""', "5")
    ],
    *[
        ("born", text, ["type:born"])
        for text in ('"2024-02-29 junk"', '" 2024-02-29"', '"2024-02-29T00:00:00Z"', "true")
    ],
    *[("born", '"0000-01-01"', ["range:born"])],
    *[
        ("seen", text, ["type:seen"])
        for text in ('"T10:00"', '"10:00"', '"now"', '"2024"', '"2024-02"', '""', "5", "1.5")
    ],
    *[
        ("seen", text, ["type:seen"])
        for text in ('"2023-02-29T00:00:00Z"', '"2024-02-29T24:00:00Z"', '"2024-02-29T10:60:00Z"')
    ],
    *[
        ("seen", text, ["type:seen"])
        for text in ('"2024-02-29T10:00:00 Europe/Berlin"', '"2024-02-29T10:00:00+0200"', '" 2024-02-29"')
    ],
    *[("seen", '"0001-01-01T00:00:00+00:01"', ["range:seen"]), ("seen", '"9999-12-31T23:59:59-00:01"', ["range:seen"])],
    *[("micros", "253402300800000000", ["range:micros"]), ("micros", "-62135596800000001", ["range:micros"])],
    *[("micros", '"1"', ["type:micros"]), ("micros", "1.0", ["type:micros"])],
]


def made(column: str, text: str) -> Record:
    wire = MADE.by_name[column].wire
    return Record(f'{{"id":"a","at":{SECONDS},"{wire}":{text}}}'.encode())


def named(prefix: str, values: Sequence[tuple[str, str, Any]]) -> dict[str, tuple[str, str, Any]]:
    cases = {f"{prefix}_{column}_{text}": (column, text, due) for column, text, due in values}
    assert len(cases) == len(values)
    return cases


GOOD_MADE = named("good", GOOD_VALUES)
BAD_MADE = named("bad", BAD_VALUES)


@pytest.fixture(scope="module")
def made_rows(spark: SparkSession) -> Judged:
    records = {name: made(column, text) for name, (column, text, _) in (GOOD_MADE | BAD_MADE).items()}
    records |= {"nothing_optional": Record(f'{{"id":"a","at":{SECONDS}}}'.encode()), "delete": Record(None)}
    records |= {"empty": Record(b""), "blank": Record(b" \n")}
    return Judged(spark, MADE, records)


def test_no_record_is_lost_doubled_or_altered(made_rows: Judged) -> None:
    made_rows.check_that_all_is_kept()
    assert len(made_rows.rows) > 90


@pytest.mark.parametrize("name", GOOD_MADE)
def test_a_value_within_its_type_and_limits_is_kept(made_rows: Judged, name: str) -> None:
    column, _, value = GOOD_MADE[name]
    assert made_rows.row[name]["_errors"] == []
    due = {"id": "a", "at": LANDED.replace(microsecond=0), column: value}
    assert made_rows.columns(name) == {each.name: None for each in MADE.columns} | due


@pytest.mark.parametrize("name", BAD_MADE)
def test_a_value_outside_its_type_or_limits_is_told(made_rows: Judged, name: str) -> None:
    assert made_rows.row[name]["_errors"] == list(BAD_MADE[name][2])
    assert set(made_rows.columns(name).values()) == {None}


def test_optional_fields_may_be_missing(made_rows: Judged) -> None:
    assert made_rows.row["nothing_optional"]["_errors"] == []
    assert [name for name, value in made_rows.columns("nothing_optional").items() if value is not None] == ["id", "at"]


def test_a_tombstone_is_good_where_the_contract_gives_it_a_meaning(made_rows: Judged) -> None:
    assert made_rows.row["delete"]["_errors"] == []
    assert set(made_rows.columns("delete").values()) == {None}


def test_an_empty_value_is_no_tombstone(made_rows: Judged) -> None:
    assert made_rows.row["empty"]["_errors"] == ["empty"]
    assert made_rows.row["blank"]["_errors"] != []


def test_the_schema_is_the_envelope_then_each_column_by_its_type() -> None:
    schema = bronze_schema(MADE)
    assert tuple(schema.fieldNames()[: len(bronze.ENVELOPE)]) == bronze.ENVELOPE
    assert {field.name: field.dataType for field in schema.fields[len(bronze.ENVELOPE) :]} == {
        **{name: T.StringType() for name in ("id", "color", "code", "short")},
        **{name: T.TimestampType() for name in ("at", "seen", "micros")},
        **{name: T.LongType() for name in ("whole", "any_whole")},
        "real": T.DoubleType(),
        "flag": T.BooleanType(),
        "born": T.DateType(),
    }
