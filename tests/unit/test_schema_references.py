"""Schemas that refer to others: as one schema, they read what a writer with all of them wrote."""

import io
import json
from typing import Any

import fastavro
import pytest

from tidemark.errors import TidemarkError
from tidemark.schema_references import with_definitions

pytestmark = pytest.mark.unit

COUNTRY = {"type": "enum", "name": "Country", "symbols": ["DE", "FR"]}
PLACE = {
    "type": "record",
    "name": "geo.Place",
    "fields": [{"name": "city", "type": "string"}, {"name": "country", "type": "Country"}],
}
SHOP = {
    "type": "record",
    "name": "Shop",
    "namespace": "geo",
    "fields": [{"name": "at", "type": "Place"}, {"name": "beside", "type": ["null", "geo.Place"]}],
}
SALE = {
    "type": "record",
    "name": "Sale",
    "fields": [
        {"name": "shop", "type": ["null", "geo.Shop"]},
        {"name": "others", "type": {"type": "array", "items": "geo.Shop"}},
        {"name": "by_country", "type": {"type": "map", "values": "Country"}},
        {"name": "change", "type": ["null", "Sale"]},
    ],
}
IN_BERLIN = {"at": {"city": "Berlin", "country": "DE"}, "beside": None}
SOLD: dict[str, Any] = {"shop": IN_BERLIN, "others": [IN_BERLIN], "by_country": {"a": "FR"}, "change": None}


def test_definitions_are_put_where_they_are_first_used_whatever_their_order() -> None:
    # geo.Place means geo.Country unless there is none: such a name is of no namespace
    whole = json.loads(with_definitions(json.dumps(SALE), map(json.dumps, (SHOP, COUNTRY, PLACE))))
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(whole), SOLD | {"change": SOLD})
    written.seek(0)
    assert fastavro.schemaless_reader(written, fastavro.parse_schema(whole), None) == SOLD | {"change": SOLD}
    assert json.dumps(whole).count('"symbols"') == json.dumps(whole).count('"city"') == 1


def test_what_refers_to_nothing_means_the_same() -> None:
    assert json.loads(with_definitions('["null", "string"]', [])) == ["null", "string"]
    assert fastavro.parse_schema(json.loads(with_definitions(json.dumps(COUNTRY), []))) == fastavro.parse_schema(
        COUNTRY
    )


def test_a_referred_schema_that_is_no_json_is_named() -> None:
    with pytest.raises(TidemarkError, match="no JSON"):
        with_definitions(json.dumps(SALE), ["{"])
