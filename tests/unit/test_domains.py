"""What `tidemark produce` makes: good records keep the contract, bad ones don't, and it knows which is which."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.unit.plain_judge import NOW, broken, encoder
from tidemark.contracts import Column, Contract, read_contracts
from tidemark.domains.mix import Mix, Record, Records
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

HOUR = 3_600_000
SHIPPED = read_contracts(ROOT / "contracts")
ALL_OF_IT = Contract.model_validate(
    {
        "id": "parcels",
        "owner": "post",
        "description": "Every type, limit and source that a contract can have.",
        "topic": "parcels",
        "format": "json",
        "key": ["parcel_id"],
        "eventTime": "seen_at",
        "schema": [
            {"name": "parcel_id", "logicalType": "string", "required": True, "pattern": "[A-Z]{2}-[0-9]{12}(?:-X)?"},
            {"name": "seen_at", "logicalType": "timestamp", "required": True},
            {"name": "sent_at", "logicalType": "timestamp", "unit": "s", "from": "sentAt"},
            {"name": "due_on", "logicalType": "date", "required": True},
            {"name": "state", "logicalType": "string", "required": True, "enum": ["sent", "on its way", "there"]},
            {"name": "weight", "logicalType": "number", "minimum": 0.1, "maximum": 31.5},
            {"name": "stops", "logicalType": "integer", "required": True, "minimum": -2, "maximum": 3},
            {"name": "is_fragile", "logicalType": "boolean", "required": True},
            {"name": "note", "logicalType": "string", "maxLength": 7},
            {"name": "depot", "logicalType": "string", "source": "key", "required": True, "maxLength": 20},
            {"name": "sender", "logicalType": "string", "source": "header", "required": True, "from": "x-sender"},
            {"name": "trace", "logicalType": "string", "source": "header"},
        ],
    }
)
# A table of parcels: the columns of ALL_OF_IT, and of the envelope one that every model gives and one that none does
CHANGES = Contract.model_validate(
    ALL_OF_IT.model_dump(exclude={"compatibility", "change_order", "columns"}, by_alias=True)
    | {"format": "debezium", "changeOrder": ["position"], "tombstone": "delete", "eventTime": "seen_at"}
    | {
        "schema": [
            *(each.model_dump(by_alias=True) for each in ALL_OF_IT.columns),
            {"name": "position", "logicalType": "integer", "required": True, "from": "__source_lsn"},
            {"name": "origin", "logicalType": "string", "required": True, "from": "__source_origin"},
        ]
    }
)
IN_AVRO = ALL_OF_IT.model_copy(update={"format": "avro"})
CONTRACTS = {**SHIPPED, "parcels": ALL_OF_IT, "parcels_in_avro": IN_AVRO, "parcels_captured": CHANGES}
A_FEW = ("ride_events", "customers", "parcels", "parcels_in_avro")
MESSY = Mix(bad=0.3, duplicate=0.1, late=0.1)


def produced(contract: Contract, count: int = 4000, mix: Mix = MESSY, seed: int = 7, now: int = NOW) -> list[Record]:
    return list(Records(contract, mix, seed, encoder(contract)).take(count, now))


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_record_is_counted_as_bad_exactly_if_it_breaks_the_contract(name: str) -> None:
    records = produced(CONTRACTS[name])
    assert len(records) == 4000
    for record in records:
        problem = broken(record, CONTRACTS[name])
        assert (problem is not None) == (record.bad is not None), (problem, record)


DOCUMENTS = {"truncated", "trailing_garbage", "two_objects", "empty", "not_an_object", "missing", "null", "wrong_type"}
DOCUMENTS |= {"number_for_text", "nested", "invalid_utf8", "future"}
NUMBERS = {"nan", "infinity", "overflow"}
LIMITS = {"below_minimum", "above_maximum", "too_long", "not_in_enum", "no_match"}
FRAMES = {"wrong_magic", "unknown_schema", "cut_short", "empty", "future"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ride_events", DOCUMENTS | NUMBERS | {"tombstone", "below_minimum", "too_long"}),
        ("sales_events", DOCUMENTS | NUMBERS | {"tombstone", "below_minimum", "too_long", "fraction"}),
        ("page_views", DOCUMENTS | {"tombstone", "too_long"}),
        ("app_logs", DOCUMENTS | {"tombstone", "too_long", "not_in_enum"}),
        ("parcels", DOCUMENTS | NUMBERS | LIMITS | {"tombstone", "fraction"}),
        ("parcels_in_avro", FRAMES | LIMITS | {"tombstone", "missing"}),
        ("card_payments", FRAMES | {"tombstone", "below_minimum", "too_long", "no_match"}),
        ("parcels_captured", DOCUMENTS | NUMBERS | LIMITS | {"fraction", "no_image", "not_an_envelope"}),
        (
            "customers",
            (DOCUMENTS | LIMITS | {"overflow", "fraction", "op_missing", "no_image", "not_an_envelope"})
            - {"above_maximum"},
        ),
    ],
)
def test_every_kind_of_bad_record_comes_equally_often(name: str, expected: set[str]) -> None:
    kinds = Counter(record.bad for record in produced(CONTRACTS[name], mix=Mix(bad=1), count=264))
    assert set(kinds) == expected
    assert max(kinds.values()) - min(kinds.values()) <= 1


def test_every_column_has_its_turn_to_be_missing() -> None:
    records = produced(SHIPPED["sales_events"], mix=Mix(bad=1))
    missing = [record for record in records if record.bad == "missing"]
    carried = {"product_id", "quantity", "revenue", "customer_id", "timestamp"}
    left_out = [carried - json.loads(record.value or b"").keys() for record in missing]
    assert set().union(*left_out) == carried
    assert any(record.key is None for record in missing)


@pytest.mark.parametrize("name", A_FEW)
def test_shares_are_as_asked(name: str) -> None:
    records = produced(CONTRACTS[name], count=20_000, mix=Mix(bad=0.1, duplicate=0.05, late=0.02))
    assert sum(record.again for record in records) == pytest.approx(1000, rel=0.15)
    assert sum(record.late for record in records if not record.again) == pytest.approx(400, rel=0.2)
    assert sum(record.bad is not None for record in records if not record.again) == pytest.approx(2000, rel=0.1)


@pytest.mark.parametrize("name", CONTRACTS)
def test_nothing_is_bad_late_or_twice_unless_asked(name: str) -> None:
    records = produced(CONTRACTS[name], mix=Mix())
    assert not any(record.bad or record.late or record.again for record in records)
    assert len({(record.key, record.value) for record in records}) == len(records)


@pytest.mark.parametrize("name", A_FEW)
def test_a_duplicate_is_an_earlier_record_byte_for_byte(name: str) -> None:
    seen = set()
    again = 0
    for record in produced(CONTRACTS[name]):
        identity = (record.value, record.key, tuple(record.headers), record.bad, record.late)
        again += record.again
        assert not record.again or identity in seen
        seen.add(identity)
    assert again > 300


def test_a_late_event_is_minutes_to_hours_old_and_the_others_are_new() -> None:
    ages: dict[bool, list[float]] = {True: [], False: []}
    for record in produced(SHIPPED["ride_events"], mix=Mix(late=0.2)):
        ages[record.late].append((NOW - json.loads(record.value or b"")["ts"]) / HOUR)
    assert len(ages[True]) > 600
    assert min(ages[True]) >= 2 / 60 and max(ages[True]) < 6.01 and max(ages[True]) > 4
    assert min(ages[False]) >= 0 and max(ages[False]) < 2 / 3600


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    assert produced(CONTRACTS[name], 1000) == produced(CONTRACTS[name], 1000)
    assert produced(CONTRACTS[name], 1000) != produced(CONTRACTS[name], 1000, seed=8)


@pytest.mark.parametrize("name", A_FEW)
def test_the_same_seed_gives_the_same_bytes_however_they_are_asked_for(name: str) -> None:
    records = Records(CONTRACTS[name], MESSY, 7, encoder(CONTRACTS[name]))
    assert [record for size in (1, 999, 3000) for record in records.take(size, NOW)] == produced(CONTRACTS[name])


def test_only_event_times_follow_the_clock() -> None:
    first = produced(SHIPPED["ride_events"])
    # A day later, because the hour is in the prices
    later = produced(SHIPPED["ride_events"], now=NOW + 24 * HOUR)
    assert sum(one.value != other.value for one, other in zip(first, later, strict=True)) > 3000
    assert [_timeless(record) for record in first] == [_timeless(record) for record in later]


def _timeless(record: Record) -> tuple[Any, ...]:
    return (record.value and re.sub(rb'"ts":\d+', b"", record.value), *record[1:])


def test_a_record_of_a_model_that_no_longer_fits_the_contract_counts_as_bad() -> None:
    columns = SHIPPED["ride_events"].columns
    dearer = tuple(each.model_copy(update={"minimum": 5.0}) if each.name == "amount" else each for each in columns)
    narrower = SHIPPED["ride_events"].model_copy(update={"columns": dearer})
    records = produced(narrower, mix=Mix())
    misfits = [record for record in records if record.bad]
    assert {record.bad for record in misfits} == {"misfit:amount"}
    assert all((broken(record, narrower) is None) == (record.bad is None) for record in records)
    assert 1000 < len(misfits) < 3000


def test_a_column_that_the_model_does_not_know_is_filled_in() -> None:
    city = Column.model_validate({"name": "city", "logicalType": "string", "required": True, "enum": ["Oslo", "Graz"]})
    wider = SHIPPED["ride_events"].model_copy(update={"columns": (*SHIPPED["ride_events"].columns, city)})
    records = produced(wider, mix=Mix())
    assert {json.loads(record.value or b"")["city"] for record in records} == {"Oslo", "Graz"}
    assert not any(record.bad for record in records)


def test_optional_columns_are_left_out_now_and_then() -> None:
    records = produced(ALL_OF_IT, mix=Mix())
    with_note = sum("note" in json.loads(record.value or b"") for record in records)
    assert 0.8 * len(records) < with_note < len(records)


def test_a_compacted_contract_has_no_bad_tombstones() -> None:
    deleting = SHIPPED["ride_events"].model_copy(update={"tombstone": "delete"})
    records = produced(deleting, mix=Mix(bad=1))
    assert all(record.value is not None for record in records)


def test_a_contract_file_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "refunds.yaml").write_text(
        "{id: refunds, owner: sales, description: Money back., topic: refunds, format: json, key: [refund_id],"
        " eventTime: at, schema: [{name: refund_id, logicalType: integer, required: true},"
        " {name: at, logicalType: timestamp, unit: us, required: true}]}"
    )
    records = produced(read_contracts(tmp_path)["refunds"], mix=Mix())
    ids = {json.loads(record.value or b"")["refund_id"] for record in records}
    assert len(ids) == len(records)
    assert {str(each).encode() for each in ids} == {record.key for record in records}
