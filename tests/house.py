"""A topic that has landed, its table, and the batch jobs that put it right: what their tests share."""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from confluent_kafka import Producer
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from streaming.streams.bronze import BronzeStream
from tests.kafka import Broker
from tests.proving import run_prove
from tests.streams import land, ride, ride_contract, send, settings_in
from tests.warehouse import Warehouse
from tidemark.ledger import Ledger
from tidemark.services import settings_environment
from tidemark.settings import ROOT, Settings


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

    def send_at(self, moments: list[datetime]) -> None:
        """Send a record that is as old as its event for each of some moments."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})
        for number, at in enumerate(moments):
            ms = round(at.timestamp() * 1000)
            producer.produce(self.contract.topic, ride(number, ts=ms), b"k", timestamp=ms)
        assert producer.flush(30) == 0

    def land(self) -> None:
        land(self.stream(), self.spark)

    def start(self, name: str, *arguments: str, action: str = "") -> subprocess.Popen[str]:
        """Start a batch job as its own process."""
        words = [*([action] if action else []), self.contract.id, *arguments, "--json"]
        command = [sys.executable, "-m", f"streaming.batch.{name}", *words]
        environment = os.environ | settings_environment(self.settings)
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=pipe, stderr=pipe)

    def job(self, name: str, *arguments: str, action: str = "") -> tuple[int, dict[str, Any]]:
        """Run a batch job as its own process; give its exit code and its result."""
        with self.start(name, *arguments, action=action) as process:
            output, errors = process.communicate(timeout=120)
        assert output, errors
        return process.returncode, json.loads(output)

    def reconcile(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        return self.job("reconcile", "--date", datetime.now(UTC).date().isoformat(), *arguments)

    def verdict(self) -> str:
        return str(json.loads(run_prove(self.settings, self.contract.id, "--json", "--wait", "30").stdout)["verdict"])

    def version(self) -> int:
        return Ledger(self.path).latest_version()

    def remove(self, where: str) -> None:
        """Remove rows by hand."""
        DeltaTable(self.path).delete(where)

    def move_to_day(self, day: date) -> None:
        """Move all rows to another day of ingest by hand."""
        rows = DeltaTable(self.path).to_pyarrow_dataset().to_table()
        at = rows.schema.get_field_index("_ingest_date")
        moved = rows.set_column(at, rows.schema.field(at), pa.array([day] * len(rows), pa.date32()))
        write_deltalake(self.path, moved, mode="overwrite")

    def double(self, partition: int, offset: int, **changes: Any) -> None:
        """Append a row once more by hand, with changes."""
        here = (ds.field("_partition") == partition) & (ds.field("_offset") == offset)
        row = DeltaTable(self.path).to_pyarrow_dataset().to_table(filter=here)
        for name, value in changes.items():
            at = row.schema.get_field_index(name)
            row = row.set_column(at, row.schema.field(at), [[value]])
        write_deltalake(self.path, row, mode="append")
