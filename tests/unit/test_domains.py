"""What `tidemark produce` makes: good records keep the contract, bad ones don't, and it knows which is which."""

import json
import re
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tidemark.contracts import Column, Contract, read_contracts
from tidemark.domains.mix import Mix, Record, Records
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

NOW = 1_750_000_000_000
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
CONTRACTS = {**SHIPPED, "parcels": ALL_OF_IT}
MESSY = Mix(bad=0.3, duplicate=0.1, late=0.1)


def produced(contract: Contract, count: int = 4000, mix: Mix = MESSY, seed: int = 7, now: int = NOW) -> list[Record]:
    return list(Records(contract, mix, seed).take(count, now))


def broken(record: Record, contract: Contract) -> str | None:
    """Say what in a record breaks the contract: a judge that shares no code with the generator."""
    if record.value is None:
        return "tombstone"
    try:
        document = json.loads(record.value.decode(), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        return str(error)
    if not isinstance(document, dict):
        return "not an object"
    headers = {name: value.decode() for name, value in record.headers}
    key = None if record.key is None else record.key.decode()
    carried = {"value": document, "header": headers}
    problems = (
        _problem(column, key if column.source == "key" else carried[column.source].get(column.wire))
        for column in contract.columns
    )
    return next((problem for problem in problems if problem), None)


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _finite(text: str) -> float:
    return float(text) if float(text) not in (float("inf"), float("-inf")) else _refuse(text)


def _problem(column: Column, found: Any) -> str | None:
    if found is None:
        return f"no {column.name}" if column.required else None
    try:
        return None if _is_allowed(column, found) else f"{column.name}: {found!r}"
    except (TypeError, ValueError, OverflowError) as error:
        return f"{column.name}: {found!r}: {error}"


def _is_allowed(column: Column, found: Any) -> bool:
    if column.logical_type in ("integer", "number"):
        is_type = (type(found) is int and abs(found) < 2**63) or (column.logical_type, type(found)) == ("number", float)
        low = float("-inf") if column.minimum is None else column.minimum
        high = float("inf") if column.maximum is None else column.maximum
        return is_type and low <= found <= high
    if column.logical_type == "timestamp":
        return _time(column, found) <= datetime.fromtimestamp(NOW / 1000, UTC)
    if column.logical_type == "date":
        return bool(date.fromisoformat(found))
    if column.logical_type == "boolean":
        return type(found) is bool
    fits = re.fullmatch(column.pattern or "(?s).*", found) is not None and len(found) <= (column.max_length or 1000)
    return fits and (column.enum is None or found in column.enum)


def _time(column: Column, found: Any) -> datetime:
    if column.unit is None:
        return datetime.fromisoformat(found)
    return datetime.fromtimestamp(found / {"s": 1, "ms": 1000, "us": 1_000_000}[column.unit], UTC)


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_record_is_counted_as_bad_exactly_if_it_breaks_the_contract(name: str) -> None:
    records = produced(CONTRACTS[name])
    assert len(records) == 4000
    for record in records:
        problem = broken(record, CONTRACTS[name])
        assert (problem is not None) == (record.bad is not None), (problem, record)


EVERYWHERE = {"truncated", "trailing_garbage", "two_objects", "empty", "not_an_object", "tombstone", "missing", "null"}
EVERYWHERE |= {"wrong_type", "number_for_text", "nested", "invalid_utf8", "nan", "infinity", "overflow", "future"}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("ride_events", {"below_minimum", "too_long"}),
        ("sales_events", {"below_minimum", "too_long", "fraction"}),
        ("parcels", {"below_minimum", "above_maximum", "too_long", "fraction", "not_in_enum", "no_match"}),
    ],
)
def test_every_kind_of_bad_record_comes_equally_often(name: str, more: set[str]) -> None:
    kinds = Counter(record.bad for record in produced(CONTRACTS[name], mix=Mix(bad=1), count=264))
    assert set(kinds) == EVERYWHERE | more
    assert max(kinds.values()) - min(kinds.values()) <= 1


def test_every_column_has_its_turn_to_be_missing() -> None:
    records = produced(SHIPPED["sales_events"], mix=Mix(bad=1))
    missing = [record for record in records if record.bad == "missing"]
    carried = {"product_id", "quantity", "revenue", "customer_id", "timestamp"}
    left_out = [carried - json.loads(record.value or b"").keys() for record in missing]
    assert set().union(*left_out) == carried
    assert any(record.key is None for record in missing)


@pytest.mark.parametrize("name", CONTRACTS)
def test_shares_are_as_asked(name: str) -> None:
    records = produced(CONTRACTS[name], count=20_000, mix=Mix(bad=0.1, duplicate=0.05, late=0.02))
    assert sum(record.again for record in records) == pytest.approx(1000, rel=0.15)
    assert sum(record.late for record in records if not record.again) == pytest.approx(400, rel=0.2)
    assert sum(record.bad is not None for record in records if not record.again) == pytest.approx(2000, rel=0.1)


@pytest.mark.parametrize("name", CONTRACTS)
def test_nothing_is_bad_late_or_twice_unless_asked(name: str) -> None:
    records = produced(CONTRACTS[name], mix=Mix())
    assert not any(record.bad or record.late or record.again for record in records)
    assert len({record.value for record in records}) == len(records)


@pytest.mark.parametrize("name", CONTRACTS)
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
    assert produced(CONTRACTS[name]) == produced(CONTRACTS[name])
    assert produced(CONTRACTS[name]) != produced(CONTRACTS[name], seed=8)


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_same_seed_gives_the_same_bytes_however_they_are_asked_for(name: str) -> None:
    records = Records(CONTRACTS[name], MESSY, 7)
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
