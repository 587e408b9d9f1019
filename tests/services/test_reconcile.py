"""Reconcile on real Kafka, Spark and Delta: what is found is repaired, by the warehouse, beside a running stream."""

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from streaming.streams.bronze import BronzeStream
from tests.kafka import Broker
from tests.proving import run_prove
from tests.streams import land, ride, ride_contract, send, settings_in, wait_until
from tests.warehouse import Warehouse
from tidemark.ledger import Ledger
from tidemark.services import settings_environment
from tidemark.settings import ROOT, Settings

pytest_plugins = ("tests.warehouse",)
pytestmark = pytest.mark.services

RECORDS = 400


class House:
    """A topic that has landed, its table, and the jobs that put it right."""

    def __init__(self, home: Path, broker: Broker, spark: SparkSession, warehouse: Warehouse) -> None:
        self.broker = broker
        self.spark = spark
        contract = ride_contract(home / "contracts", broker.topic(partitions=2))
        ports = {"TIDEMARK_CONNECT_PORT": warehouse.settings.connect_port}
        self.settings: Settings = settings_in(home, broker, contracts_dir=home / "contracts", **ports)
        self.contract = contract
        self.path = self.settings.table("bronze", contract.id)

    def stream(self) -> BronzeStream:
        return BronzeStream(self.contract, self.settings)

    def send(self, count: int, first: int = 0) -> None:
        send(self.broker, self.contract.topic, (ride(number) for number in range(first, first + count)))

    def land(self) -> None:
        land(self.stream(), self.spark)

    def job(self, name: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a batch job as its own process; give its exit code and its result."""
        command = [sys.executable, "-m", f"streaming.batch.{name}", self.contract.id, *arguments, "--json"]
        environment = os.environ | settings_environment(self.settings)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def reconcile(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        return self.job("reconcile", "--date", datetime.now(UTC).date().isoformat(), *arguments)

    def verdict(self) -> str:
        return str(json.loads(run_prove(self.settings, self.contract.id, "--json", "--wait", "30").stdout)["verdict"])

    def version(self) -> int:
        return Ledger(self.path).latest_version()

    def remove(self, where: str) -> None:
        """Remove rows by hand."""
        DeltaTable(self.path).delete(where)

    def double(self, partition: int, offset: int, **changes: Any) -> None:
        """Append a row once more by hand, with changes."""
        here = (ds.field("_partition") == partition) & (ds.field("_offset") == offset)
        row = DeltaTable(self.path).to_pyarrow_dataset().to_table(filter=here)
        for name, value in changes.items():
            at = row.schema.get_field_index(name)
            row = row.set_column(at, row.schema.field(at), [[value]])
        write_deltalake(self.path, row, mode="append")


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
