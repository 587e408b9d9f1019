"""The customers' change log is one that Debezium could have written."""

import json
from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from tidemark.contracts import Column, read_contracts
from tidemark.debezium import unwrapped
from tidemark.domains.customers import Customers
from tidemark.domains.event import Event
from tidemark.domains.mix import Mix, Records
from tidemark.domains.people import REGULARS
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

NOW = 1_750_000_000_000
COUNT = 8000


def captured(count: int = COUNT, now: int = NOW) -> list[Event]:
    domain = Customers(Random(3))
    return [domain.event(now, 0) for _ in range(count)]


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return captured()


def documents(events: Iterable[Event]) -> list[dict[str, Any]]:
    return [event.fields for event in events if event.fields is not None]


def test_a_snapshot_comes_first_and_then_changes_of_all_kinds(events: list[Event]) -> None:
    found = documents(events)
    read, changed = found[:REGULARS], found[REGULARS:]
    assert [each["source"]["snapshot"] for each in read] == ["first", *["true"] * (REGULARS - 2), "last"]
    assert {(each["op"], each["transaction"]) for each in read} == {("r", None)}
    assert {each["source"]["snapshot"] for each in changed} == {"false"}
    kinds = Counter(each["op"] for each in changed)
    assert kinds.keys() == {"c", "u", "d"}
    assert kinds["u"] > kinds["c"] > kinds["d"] > 300


def test_positions_rise_strictly_and_times_never_fall(events: list[Event]) -> None:
    positions = [each["source"]["lsn"] for each in documents(events)]
    times = [each["source"]["ts_ms"] for each in documents(events)]
    assert positions == sorted(set(positions))
    assert times == sorted(times)


def test_a_later_run_is_further_on_in_the_log() -> None:
    last, first = captured()[-1], captured(1, NOW + 5000)[0]
    assert documents([last, first])[-1]["source"]["lsn"] > max(each["source"]["lsn"] for each in documents([last]))


def test_the_log_adds_up(events: list[Event]) -> None:
    """Rows are created once, changed while they are there, deleted once and then followed by a tombstone."""
    rows: dict[str, dict[str, Any]] = {}
    for event, after in zip(events, [*events[1:], None], strict=True):
        if event.fields is None:
            continue
        customer = json.loads(event.key or b"")["customer_id"]
        image = event.fields["after"]
        if event.fields["op"] == "d":
            assert (event.fields["before"], image) == ({"customer_id": customer}, None)
            del rows[customer]
            assert after is None or after == Event(None, event.key, [])
            continue
        assert (event.fields["before"], image["customer_id"]) == (None, customer)
        assert (customer in rows) == (event.fields["op"] == "u")
        assert rows.get(customer) != image
        rows[customer] = image
    assert len(rows) > REGULARS


def test_a_transaction_numbers_its_changes(events: list[Event]) -> None:
    blocks = [each["transaction"] for each in documents(events) if each["transaction"]]
    orders: dict[str, list[int]] = {}
    for block in blocks:
        orders.setdefault(block["id"], []).append(block["total_order"])
        assert block["data_collection_order"] == block["total_order"]
    assert all(found == list(range(1, len(found) + 1)) for found in orders.values())
    assert max(map(len, orders.values())) >= 3


def test_a_late_change_is_older_than_what_the_snapshot_read() -> None:
    domain = Customers(Random(3))
    read = documents(domain.event(NOW, 0) for _ in range(100))
    late = documents(domain.event(NOW, 300_000 + number) for number in range(100))
    assert {each["op"] for each in late} == {"u"}
    assert max(each["source"]["lsn"] for each in late) < min(each["source"]["lsn"] for each in read)
    assert len({each["source"]["lsn"] for each in late}) == 100
    in_time = sorted(late, key=lambda each: int(each["source"]["ts_ms"]))
    assert in_time == sorted(late, key=lambda each: int(each["source"]["lsn"]))


def test_spoiling_records_loses_no_delete_and_no_tombstone() -> None:
    contract = read_contracts(ROOT / "contracts")["customers"]
    records = Records(contract, Mix(bad=0.3), 3).take(COUNT, NOW)
    good = [record for record in records if record.bad is None]
    rows = [unwrapped(json.loads(record.value)) for record in good if record.value]
    positions = [row["__source_lsn"] for row in rows if row]
    assert positions == sorted(positions)
    deleted = [number for number, record in enumerate(good) if record.value and json.loads(record.value)["op"] == "d"]
    assert len(deleted) > 100
    assert all(good[number + 1][:2] == (None, good[number].key) for number in deleted)
    assert sum(record.value is None for record in good) == len(deleted)


def test_a_column_that_the_model_does_not_know_is_filled_in_where_there_is_a_row() -> None:
    contract = read_contracts(ROOT / "contracts")["customers"]
    city = Column.model_validate({"name": "city", "logicalType": "string", "required": True, "enum": ["Oslo", "Graz"]})
    wider = contract.model_copy(update={"columns": (*contract.columns, city)})
    records = list(Records(wider, Mix(), 3).take(COUNT, NOW))
    assert {record.bad for record in records} == {None}
    images = [json.loads(record.value)["after"] for record in records if record.value]
    assert {image["city"] for image in images if image} == {"Oslo", "Graz"}
    assert sum(image is None for image in images) == sum(record.value is None for record in records) > 100
