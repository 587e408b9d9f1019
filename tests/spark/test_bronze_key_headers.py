"""Columns that come from a record's key and headers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.spark.records import LANDED, Judged, Record
from tidemark.contracts import read_contracts
from tidemark.settings import ROOT

pytestmark = pytest.mark.spark

MS = int(LANDED.timestamp() * 1000)
SALE = {"product_id": "p1", "quantity": 2, "revenue": 9.5, "customer_id": "c1", "timestamp": MS}
GOOD = json.dumps(SALE).encode()

GOOD_SALES: dict[str, tuple[Record, Mapping[str, Any]]] = {
    "headers_and_key": (
        Record(GOOD, b"s1", (("source", b"app"), ("version", b"2"))),
        {"sale_id": "s1", "source": "app", "version": "2"},
    ),
    "no_headers": (Record(GOOD, b"s1"), {"sale_id": "s1", "source": None, "version": None}),
    "empty_headers": (Record(GOOD, b"s1", ()), {"source": None, "version": None}),
    "a_missing_header": (
        Record(GOOD, b"s1", (("version", b"2"),)),
        {"source": None, "version": "2"},
    ),
    "a_null_header": (Record(GOOD, b"s1", (("source", None),)), {"source": None}),
    "a_header_in_another_case": (Record(GOOD, b"s1", (("Source", b"a"),)), {"source": None}),
    "a_doubled_header_counts_as_its_last": (
        Record(GOOD, b"s1", (("source", b"old"), ("version", b"1"), ("source", b"new"))),
        {"source": "new", "version": "1"},
    ),
    "a_bad_unknown_header": (Record(GOOD, b"s1", (("trace", b"\xff"),)), {"source": None}),
    "fields_named_like_key_and_headers": (
        Record(json.dumps({**SALE, "sale_id": 5, "source": [], "version": {}}).encode(), b"s1"),
        {"sale_id": "s1", "source": None, "version": None},
    ),
    "a_key_of_any_text": (Record(GOOD, "é€😀".encode()), {"sale_id": "é€😀"}),
}
BAD_SALES: dict[str, tuple[Record, Sequence[str]]] = {
    "no_key": (Record(GOOD, None), ["missing:sale_id"]),
    "a_key_that_is_not_utf8": (Record(GOOD, b"\xff\xfe"), ["encoding:sale_id"]),
    "a_key_that_is_too_long": (Record(GOOD, b"k" * 1001), ["length:sale_id"]),
    "a_header_that_is_not_utf8": (
        Record(GOOD, b"s1", (("source", b"\xff"),)),
        ["encoding:source"],
    ),
    "a_header_that_is_too_long": (
        Record(GOOD, b"s1", (("version", b"v" * 1001),)),
        ["length:version"],
    ),
    "a_doubled_header_whose_last_is_bad": (
        Record(GOOD, b"s1", (("source", b"a"), ("source", b"\xff"))),
        ["encoding:source"],
    ),
    "a_fraction_of_a_piece": (Record(json.dumps({**SALE, "quantity": 1.5}).encode()), ["type:quantity"]),
    "no_piece": (Record(json.dumps({**SALE, "quantity": 0}).encode()), ["range:quantity"]),
    "no_key_and_no_pieces": (
        Record(json.dumps({**SALE, "quantity": "2"}).encode(), None),
        ["type:quantity", "missing:sale_id"],
    ),
    "a_tombstone": (Record(None), ["tombstone"]),
}


@pytest.fixture(scope="module")
def sales(spark: SparkSession) -> Judged:
    records = {name: record for name, (record, _) in (GOOD_SALES | BAD_SALES).items()}
    return Judged(spark, read_contracts(ROOT / "contracts")["sales_events"], records)


def test_no_record_is_lost_doubled_or_altered(sales: Judged) -> None:
    sales.check_that_all_is_kept()
    assert len(sales.rows) > 18


@pytest.mark.parametrize("name", GOOD_SALES)
def test_a_good_sale_has_what_its_key_and_headers_say(sales: Judged, name: str) -> None:
    assert sales.row[name]["_errors"] == []
    assert sales.columns(name).items() >= dict(GOOD_SALES[name][1]).items()
    assert (sales.row[name]["quantity"], sales.row[name]["revenue"]) == (2, 9.5)


@pytest.mark.parametrize("name", BAD_SALES)
def test_a_bad_sale_says_every_reason_and_has_no_values(sales: Judged, name: str) -> None:
    assert sales.row[name]["_errors"] == list(BAD_SALES[name][1])
    assert set(sales.columns(name).values()) == {None}
