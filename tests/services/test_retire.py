"""Retirement against a real Kafka: a proof says retired, not lost; what is lost elsewhere is still found."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from streaming.batch.reconcile import Day
from streaming.batch.retire import Retired, retired
from tests.kafka import Broker
from tests.proving import House, Row, bad, send
from tidemark import bronze
from tidemark.compare import Kind
from tidemark.contracts import read_contract

pytestmark = pytest.mark.services

TODAY = datetime.now(UTC).date()
OLD = TODAY - timedelta(days=31)
REPAIRED = 17  # landed on another day than the offsets beside it


@pytest.fixture
def house(kafka: Broker, tmp_path: Path) -> House:
    """Make a topic of 100 records, of which the first 30 landed on a day whose time is up, all but one."""
    house = House(tmp_path, kafka, kafka.topic())
    path = house.settings.contracts_dir / "ride_events.yaml"
    path.write_text(path.read_text() + "retainDays: 30\n")
    house.contract = read_contract(path)
    send(kafka, house.topic, 100)
    house.land(lambda rows: [{**row, bronze.INGEST_DATE: day_of(row)} for row in rows])
    return house


def day_of(row: Row) -> date:
    return OLD if row[bronze.OFFSET] < 30 and row[bronze.OFFSET] != REPAIRED else TODAY


def retire(house: House, dry_run: bool = False) -> Retired:
    return retired(house.settings, house.contract, TODAY, dry_run)


def reconciled(house: House) -> dict[str, int]:
    day = Day(house.settings, house.contract, house.table, TODAY).compared()
    return {kind.name: day.count(kind) for kind in (Kind.LOST, Kind.RETIRED, Kind.LANDED_ONCE)}


def test_a_day_without_a_certificate_stays(house: House) -> None:
    version = house.version()
    done = retire(house)
    assert (list(done.days), list(done.refused), house.version()) == ([], [OLD], version)
    assert "no certificate" in done.refused[OLD]


def test_retired_offsets_are_not_lost_and_lost_ones_are_not_retired(house: House) -> None:
    assert house.prove()["verdict"] == "proven"
    assert retire(house, dry_run=True).rows == 29 and house.version() == 0
    assert retire(house).days == [OLD]
    assert retire(house).days == () and house.version() == 1
    proof = house.prove()
    assert (proof["verdict"], proof["retired"], proof["landed_once"], proof["notes"]) == ("proven", 29, 71, [])
    assert reconciled(house) == {"LOST": 0, "RETIRED": 29, "LANDED_ONCE": 71}
    DeltaTable(house.table).delete(f"_offset IN ({REPAIRED}, 50)")
    proof = house.prove()
    assert bad(proof) == {("lost", 0, REPAIRED, REPAIRED + 1), ("lost", 0, 50, 51)}
    assert (proof["verdict"], proof["retired"]) == ("broken", 29)
    assert reconciled(house) == {"LOST": 2, "RETIRED": 29, "LANDED_ONCE": 69}


def test_what_stays_of_a_bucket_is_proven_after_kafka_has_expired_it(house: House) -> None:
    house.prove()
    retire(house)
    house.expire(below=60)
    proof = house.prove()
    assert (proof["verdict"], proof["retired"], proof["landed_once"]) == ("proven", 29, 71)
    DeltaTable(house.table).delete("_offset = 50")
    proof = house.prove()
    assert (proof["verdict"], proof["retired"], proof["expired"]) == ("unknown", 29, 30)


def test_a_day_that_has_changed_since_its_certificate_stays(house: House) -> None:
    house.prove()
    DeltaTable(house.table).delete("_offset = 3")
    assert list(retire(house).refused) == [OLD]
