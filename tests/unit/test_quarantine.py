"""The quarantine is listed by reason, and shows nothing personal."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tidemark.contracts import Contract, read_contract
from tidemark.errors import TidemarkError
from tidemark.quarantine import HIDDEN, Quarantine, masked, quarantine_of
from tidemark.settings import ROOT, Settings

pytestmark = pytest.mark.unit

AT = datetime(2026, 7, 8, 9, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("_topic", pa.string()),
        ("_partition", pa.int32()),
        ("_offset", pa.int64()),
        ("_kafka_time", pa.timestamp("us", "UTC")),
        ("_value", pa.binary()),
        ("_errors", pa.list_(pa.string())),
    ]
)
ERRORS: tuple[list[str], ...] = ([], ["malformed"], ["missing:page", "range:n"], [], ["malformed"], ["missing:view_id"])


def contract(name: str) -> Contract:
    return read_contract(ROOT / "contracts" / f"{name}.yaml")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path)
    rows = [
        ("page_views", 0, number, AT + timedelta(minutes=number), b'{"page":"/"}', errors)
        for number, errors in enumerate(ERRORS)
    ]
    table = pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], SCHEMA)
    write_deltalake(settings.table("bronze", "page_views"), table)
    return settings


def counts(found: Quarantine) -> dict[str, int]:
    return {reason.name: reason.rows for reason in found.reasons}


def test_reasons_are_counted_the_most_frequent_first(settings: Settings) -> None:
    found = quarantine_of(settings, contract("page_views"), samples=1)
    assert (found.rows, found.of) == (4, 6)
    assert list(counts(found).items()) == [
        ("malformed", 2),
        ("missing:page", 1),
        ("missing:view_id", 1),
        ("range:n", 1),
    ]
    malformed = found.reasons[0]
    assert (malformed.first, malformed.last) == (AT + timedelta(minutes=1), AT + timedelta(minutes=4))
    assert [sample.position for sample in malformed.samples] == ["page_views/0@1"]
    assert found.reasons[1].samples[0].reasons == ("missing:page", "range:n")


def test_one_kind_of_reason_can_be_asked_for(settings: Settings) -> None:
    found = quarantine_of(settings, contract("page_views"), samples=0, only="missing")
    assert (found.rows, counts(found)) == (2, {"missing:page": 1, "missing:view_id": 1})
    assert not any(reason.samples for reason in found.reasons)


def test_a_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(TidemarkError, match="there is no table"):
        quarantine_of(Settings(home=tmp_path), contract("page_views"), samples=1)


def test_what_is_personal_is_masked_at_any_depth() -> None:
    event: dict[str, Any] = {
        "op": "u",
        "after": {"customer_id": "c1", "name": "Ann", "email": "a@b.c", "country": "DE"},
    }
    shown = masked(json.dumps({"payload": [event]}).encode(), contract("customers"))
    assert "Ann" not in shown and "a@b.c" not in shown
    assert '"country": "DE"' in shown and '"op": "u"' in shown


def test_a_payload_that_can_not_be_taken_apart_is_hidden_where_anything_is_personal() -> None:
    broken = b'{"visitor_id": "ann", "page": "/'
    assert masked(broken, contract("page_views")) == HIDDEN
    assert masked(b"\x00\x00\x00\x00\x01card-1", contract("card_payments")) == HIDDEN
    assert masked(broken + b"\xff", contract("sales_events")) == broken.decode() + "\\xff"
    assert masked(None, contract("page_views")) == "(no value)"
    assert len(masked(b"x" * 1000, contract("sales_events"))) == 200
