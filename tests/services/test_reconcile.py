"""Reconcile on real Kafka, Spark and Delta: what is found is repaired, by the warehouse, beside a running stream."""

import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from tests.house import House
from tests.kafka import Broker
from tests.streams import wait_until
from tests.warehouse import Warehouse

pytest_plugins = ("tests.warehouse",)
pytestmark = pytest.mark.services

RECORDS = 400
CLOCKS_CHANGE = [date(2026, 3, 29), date(2026, 10, 25)]  # in Berlin these have 23 and 25 hours


@pytest.fixture
def house(tmp_path: Path, kafka: Broker, spark: SparkSession, warehouse: Warehouse) -> House:
    house = House(tmp_path, kafka, spark, warehouse)
    house.send(RECORDS)
    house.land()
    return house


def test_lost_rows_are_read_again_and_the_second_run_does_nothing(house: House) -> None:
    house.remove("_partition = 0 AND _offset >= 3 AND _offset < 9")
    house.remove("_partition = 1 AND _offset = 0")
    assert house.verdict() == "broken"
    code, result = house.reconcile()
    assert (code, result["found"]["lost"], result["left"]["lost"]) == (0, 7, 0)
    assert house.verdict() == "proven"
    version = house.version()
    code, result = house.reconcile()
    assert (code, result["repaired"], house.version()) == (0, 0, version)


def test_dry_run_changes_nothing(house: House) -> None:
    house.remove("_partition = 0 AND _offset = 3")
    version = house.version()
    code, result = house.reconcile("--dry-run")
    assert (code, result["found"]["lost"], house.version()) == (1, 1, version)


def test_extra_rows_are_only_reported_until_told_to_remove_them(house: House) -> None:
    house.double(0, 5)
    house.double(0, 7, _value=b"{}")  # two rows, of which one is Kafka's
    house.double(1, 2, _offset=10_000)
    DeltaTable(house.path).update(predicate="_partition = 1 AND _offset = 4", updates={"_value": "X'00'"})
    house.remove("_partition = 1 AND _offset = 6")
    code, result = house.reconcile()
    assert (code, result["left"]) == (1, {"twice": 2, "lost": 0, "altered": 1, "phantom": 1})
    code, result = house.reconcile("--remove-extra")
    assert (code, result["left"]) == (0, {"twice": 0, "lost": 0, "altered": 0, "phantom": 0})
    assert house.verdict() == "proven"


def test_days_on_which_clocks_change_are_reconciled_to_the_hour(
    tmp_path: Path, kafka: Broker, spark: SparkSession, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")  # the jobs' own
    house = House(tmp_path, kafka, spark, warehouse)
    starts = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in CLOCKS_CHANGE]
    hours = [start + timedelta(hours=hour, minutes=30) for start in starts for hour in range(-3, 27)]
    house.send_at(hours)
    house.land()
    house.remove("true")
    for start in starts:
        code, result = house.job("reconcile", "--date", str(start.date()))
        assert (code, result["repaired"]) == (0, 24)
    restored = DeltaTable(house.path).to_pyarrow_table(columns=["event_time"]).column(0).to_pylist()
    wanted = Counter(at for at in hours if any(at.date() == start.date() for start in starts))
    assert Counter(at.astimezone(UTC) for at in restored) == wanted


def test_what_is_pending_is_never_inserted(house: House) -> None:
    house.send(50, first=RECORDS)
    version = house.version()
    code, result = house.reconcile("--remove-extra")
    assert (code, result["repaired"], house.version()) == (0, 0, version)
    house.land()
    assert house.verdict() == "proven"


def test_jobs_beside_a_busy_stream_leave_nothing_twice(house: House) -> None:
    query = house.stream().start(house.spark)
    stop = threading.Event()
    sent = RECORDS

    def load() -> None:
        nonlocal sent
        while not stop.is_set():
            house.send(200, first=sent)
            sent += 200
            stop.wait(0.1)  # about 2,000 a second: the two cores are shared with the stream and the jobs

    loader = threading.Thread(target=load)
    loader.start()
    try:
        version = house.version()
        wait_until(lambda: house.version() > version + 2, 60, "the stream commits")
        house.remove("_partition = 0 AND _offset >= 3 AND _offset < 9")
        house.double(1, 5)
        assert house.reconcile("--remove-extra")[0] == 0
        assert house.job("compact", "--date", datetime.now(UTC).date().isoformat())[0] == 0
        stop.set()
        loader.join()
        query.processAllAvailable()
        assert query.exception() is None
    finally:
        stop.set()
        loader.join()
        query.stop()
    assert house.verdict() == "proven"
