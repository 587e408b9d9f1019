"""What is read flat is what was written; on every other value the reader gives up, and a slower way judges it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from tests.spark.test_bronze_property import generated

pytestmark = pytest.mark.spark

KINDS = {"id": T.StringType(), "at": T.LongType(), "x": T.DoubleType(), "b": T.BooleanType(), "p": T.StringType()}
SCHEMA = T.StructType([T.StructField(name, kind) for name, kind in KINDS.items()])
MARKED = T.StructType([*SCHEMA, T.StructField("~text~", T.StringType()), T.StructField("~number~", T.LongType())])
PYTHON: Mapping[str, type | tuple[type, ...]] = {"id": str, "at": int, "x": (int, float), "b": bool, "p": str}

READ: Mapping[bytes, Mapping[str, Any]] = {
    b"{}": {},
    b"{ }": {},
    b'{"id":"a","at":5,"x":1.5,"b":true,"p":"q"}': {"id": "a", "at": 5, "x": 1.5, "b": True, "p": "q"},
    b'{\n\t"p" : "q" ,\r\n"id":"" , "more": -1.0E+5,"b":false }': {"p": "q", "id": "", "b": False},
    b'{"id":null,"at":null,"x":null,"b":null,"":null}': {},
    b'{"id":null,"id":"a"}': {"id": "a"},
    b'{"more":1,"more":"x","more":true}': {},
    b'{"ID":5,"idx":"i","i":"d"}': {},
    b'{"id":"{\\u0022}"}'.replace(b"\\u0022", b"'"): {"id": "{'}"},
    '{"id":"é€😀","more":"é"}'.encode(): {"id": "é€😀"},
    b'{"at":-1}': {"at": -1},
    b'{"at":-0}': {"at": 0},
    b'{"at":999999999999999999}': {"at": 10**18 - 1},
    b'{"x":0}': {"x": 0.0},
    b'{"x":-12.50}': {"x": -12.5},
    b'{"x":0.3}': {"x": 0.3},
    b'{"x":4.35}': {"x": 4.35},
    b'{"x":123456789012.345}': {"x": 123456789012.345},
    b'{"x":0.30000000000000004}': {"x": 0.1 + 0.2},
    b'{"x":2.2250738585072011e-308}': {"x": 2.2250738585072011e-308},
    b'{"x":1e-400}': {"x": 0.0},
    b'{"x":1E5}': {"x": 1e5},
}

GIVEN_UP: Sequence[bytes] = [
    b"",
    b"{",
    b"}",
    b"null",
    b'["id"]',
    b' {"id":"a"}',
    b'{"id":"a"} ',
    b'{"id":"a"}}',
    b'{"id":"a"}{"id":"a"}',
    b'{"id":"a",}',
    b'{,"id":"a"}',
    b'{"id" "a"}',
    b'{"id":}',
    b'{"id"}',
    b'{"id:"a"}',
    b'{"id":"a}',
    b'{"id":a}',
    b'{"id":"a" "p":"q"}',
    b"{'id':'a'}",
    b'{id:"a"}',
    b'{"id":"a","id":"a"}',
    b'{"id":"a","id":null}',
    b'{"i\\u0064":"a"}',
    b'{"id":"\\n"}',
    b'{"id":"\n"}',
    b'{"id":"\x00"}',
    b'{"id":"\xff"}',
    b'{"more":"\xc3\x28"}',
    b'{"\xed\xa0\x80":1}',
    b'{"id":5}',
    b'{"id":true}',
    b'{"id":{}}',
    b'{"more":{}}',
    b'{"more":[]}',
    b'{"at":"5"}',
    b'{"at":5.0}',
    b'{"at":5e0}',
    b'{"at":1000000000000000000}',
    b'{"b":1}',
    b'{"b":"true"}',
    b'{"b":tru}',
    b'{"b":truer}',
    b'{"b":nul}',
    b'{"x":true}',
    b'{"x":"1"}',
    b'{"x":01}',
    b'{"x":-}',
    b'{"x":+1}',
    b'{"x":.5}',
    b'{"x":1.}',
    b'{"x":1e}',
    b'{"x":1e+}',
    b'{"x":0x1}',
    b'{"x":1_0}',
    b'{"x":NaN}',
    b'{"x":1e400}',
    b'{"x":-0}',
    b'{"x":-0.0}',
    b'{"more":01}',
    b'{"more":NaN}',
    b'{"~text~":"a"}',
    b'{"~":1}',
    b'{"id":"' + b"a" * 50_000 + b'"}',
]


def read(spark: SparkSession, values: Sequence[bytes], schema: T.StructType = SCHEMA) -> list[dict[str, Any] | None]:
    rows = spark.createDataFrame([(bytearray(value),) for value in values], "value binary")
    found = rows.select(F.call_function("read_flat_object", "value", F.lit(schema.json())).alias("found")).collect()
    return [row.found and row.found.asDict() for row in found]


def test_a_plain_object_is_read_by_its_names(spark: SparkSession) -> None:
    nothing = dict.fromkeys(KINDS)
    assert read(spark, list(READ)) == [{**nothing, **due} for due in READ.values()]


def test_on_all_else_the_reader_gives_up(spark: SparkSession) -> None:
    found = zip(GIVEN_UP, read(spark, GIVEN_UP), strict=True)
    assert [each for each in found if each[1] is not None] == []


def test_a_value_that_is_not_there_is_not_read(spark: SparkSession) -> None:
    rows = spark.sql("select cast(null as binary) as value")
    assert rows.select(F.call_function("read_flat_object", "value", F.lit(SCHEMA.json()))).collect() == [(None,)]


def test_the_callers_own_fields_tell_who_has_read_the_value(spark: SparkSession) -> None:
    (found,) = read(spark, [b'{"id":"a"}'], MARKED)
    assert found == {**dict.fromkeys(KINDS), "id": "a", "~text~": "", "~number~": None}


def test_what_is_read_flat_is_what_pythons_parser_reads(spark: SparkSession) -> None:
    values = generated(3000)
    found = [each for each in zip(values, read(spark, values), strict=True) if each[1] is not None]
    assert [each for each in found if not _is_as_written(*each)] == []
    assert len(found) > len(values) / 20, "the values are too seldom flat to tell anything"


def _is_as_written(value: bytes, found: dict[str, Any] | None) -> bool:
    document = json.loads(value.decode())
    return found is not None and all(
        found[name] is document.get(name) is None
        or (isinstance(document[name], PYTHON[name]) and repr(found[name]) == repr(type(found[name])(document[name])))
        for name in KINDS
    )
