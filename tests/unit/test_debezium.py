"""Debezium's envelopes become flat rows, as its own ExtractNewRecordState makes them."""

from typing import Any

import pytest

from tidemark.contracts import read_contracts
from tidemark.debezium import envelope_path, is_envelope_name, required_of_delete, unwrapped
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

UPDATE: dict[str, Any] = {
    "before": None,
    "after": {"customer_id": "c1", "name": "Ada"},
    "source": {"lsn": 42, "ts_ms": 1000, "snapshot": "false"},
    "op": "u",
    "ts_ms": 1005,
    "transaction": {"id": "7:42", "total_order": 1, "data_collection_order": 2},
}
DELETE = UPDATE | {"before": {"customer_id": "c1"}, "after": None, "op": "d", "transaction": None}


def test_an_update_is_the_row_after_it_and_the_envelopes_fields() -> None:
    assert unwrapped(UPDATE) == {
        "customer_id": "c1",
        "name": "Ada",
        "__op": "u",
        "__ts_ms": 1005,
        "__ts_us": None,
        "__ts_ns": None,
        "__source_lsn": 42,
        "__source_ts_ms": 1000,
        "__source_snapshot": "false",
        "__transaction_id": "7:42",
        "__transaction_total_order": 1,
        "__transaction_data_collection_order": 2,
        "__deleted": "false",
    }


def test_a_delete_is_the_row_before_it() -> None:
    row = unwrapped(DELETE)
    assert row is not None
    assert (row["customer_id"], row["__deleted"], row["__transaction_id"]) == ("c1", "true", None)
    assert "name" not in row


def test_the_converters_wrapper_makes_no_difference() -> None:
    for envelope in (UPDATE, DELETE):
        assert unwrapped({"schema": {"type": "struct"}, "payload": envelope}) == unwrapped(envelope)
        assert unwrapped({"payload": envelope, "schema": None}) == unwrapped(envelope)


@pytest.mark.parametrize(
    "document",
    [
        *(None, 5, [], {}, {"schema": {}, "payload": None}, UPDATE["after"]),
        *({**UPDATE, "op": None}, {**UPDATE, "op": 1}, {**UPDATE, "after": None}, {**UPDATE, "after": "row"}),
        *({**DELETE, "before": None}, {**DELETE, "before": None, "after": {"customer_id": "c1"}}),
    ],
)
def test_what_is_no_envelope_or_has_no_image_is_no_row(document: Any) -> None:
    assert unwrapped(document) is None


def test_blocks_that_are_missing_are_empty() -> None:
    row = unwrapped({"op": "c", "after": {"customer_id": "c1"}})
    assert row is not None
    assert row["__transaction_id"] is None
    assert "__source_lsn" not in row


def test_a_field_of_the_envelope_has_its_path() -> None:
    names = ("__op", "__ts_ms", "__source_lsn", "__source_ts_ms", "__transaction_total_order", "__deleted", "__lsn")
    assert [envelope_path(name) for name in names] == [
        *(("op",), ("ts_ms",), ("source", "lsn"), ("source", "ts_ms"), ("transaction", "total_order"), None, None),
    ]
    assert [name for name in names if not is_envelope_name(name)] == ["__lsn"]


def test_a_delete_must_have_its_key_and_what_is_required_of_the_envelope() -> None:
    contract = read_contracts(ROOT / "contracts")["customers"]
    required = {column.name for column in contract.columns if required_of_delete(contract, column)}
    assert required == {"customer_id", "op", "source_lsn", "changed_at"}
