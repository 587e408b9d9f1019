"""`tidemark compact` as it is run, a process of its own: fewer files, and nothing else about the table changed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from streaming.streams.bronze import create_bronze
from tests.kafka import free_ports
from tests.spark.records import Record, as_bronze
from tidemark.contracts import Contract, read_contracts
from tidemark.ledger import Ledger
from tidemark.ops_tables import MAINTENANCE
from tidemark.settings import ROOT, Settings

pytestmark = pytest.mark.spark

FILES = 500
CLOSED = date(2025, 6, 1)
OTHER = date(2025, 6, 2)
TODAY = datetime.now(UTC).date()


class House:
    """A bronze table, and compaction of it."""

    def __init__(self, spark: SparkSession, home: Path) -> None:
        self.spark = spark
        (port,) = free_ports(1)
        self.settings = Settings(home=home, warehouse_memory="600m")
        self.contract: Contract = read_contracts(ROOT / "contracts")["ride_events"]
        self.path = self.settings.table("bronze", self.contract.id)
        self.ledger = Ledger(self.path)
        # No warehouse answers on that port: the job starts a driver of its own.
        own = {"TIDEMARK_HOME": str(home), "TIDEMARK_WAREHOUSE_MEMORY": "600m", "TIDEMARK_CONNECT_PORT": str(port)}
        self.environment = {name: text for name, text in os.environ.items() if not name.startswith("TIDEMARK_")} | own

    def records(self, count: int, day: date) -> DataFrame:
        """Give good and bad rows that landed on a day."""
        values = [b'{"event_id": "e%d"' % number if number % 10 == 0 else ride(number) for number in range(count)]
        rows = as_bronze(self.spark, self.contract, [Record(value, b"k", (("h", b"v"),)) for value in values])
        return rows.withColumn("_ingest_date", F.lit(day))

    def append(self, rows: DataFrame, files: int) -> None:
        rows.repartition(files).write.format("delta").mode("append").save(self.path)

    def start(self, *words: str, job: str = "compact") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", f"streaming.batch.{job}", "ride_events", "--json", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def compact(self, *words: str) -> list[dict[str, Any]]:
        """Run the job to its end and give the days that it compacted, each row of them checked."""
        return self.finish(self.start(*words))

    def finish(self, job: subprocess.Popen[str]) -> list[dict[str, Any]]:
        done = self.result(job)
        days: list[dict[str, Any]] = done["days"]
        assert done["checked"] >= sum(day["before"]["records"] for day in days)
        return days

    def maintain(self) -> dict[str, Any]:
        """Run upkeep to its end and give what it has done."""
        done: dict[str, Any] = self.result(self.start(job="maintain"))["done"]
        return done

    def result(self, job: subprocess.Popen[str]) -> dict[str, Any]:
        out, log = job.communicate(timeout=120)
        assert job.returncode == 0, log[-3000:]
        result: dict[str, Any] = json.loads(out.splitlines()[-1])
        return result

    def runs(self) -> list[dict[str, Any]]:
        """Give what ops.maintenance remembers, the oldest run first."""
        runs = DeltaTable(self.settings.table("ops", MAINTENANCE)).to_pyarrow_table()
        return list(runs.sort_by("started_at").to_pylist())

    def files(self, day: date) -> set[str]:
        return {file for file in DeltaTable(self.path).file_uris() if f"_ingest_date={day}" in file}

    def rows(self) -> pa.Table:
        """Give every row with every column, in the order of day and position."""
        table = DeltaTable(self.path).to_pyarrow_table()
        return table.sort_by([("_ingest_date", "ascending"), ("_offset", "ascending"), ("event_id", "ascending")])

    def count(self, day: date) -> int:
        return int(pc.sum(pc.equal(self.rows()["_ingest_date"], day)).as_py())


def ride(number: int) -> bytes:
    event = {
        "event_id": f"e{number}",
        "user_id": "u",
        "event_type": "paid",
        "amount": number / 7,
        "ts": 1_750_000_000_000,
    }
    return json.dumps(event).encode()


@pytest.fixture(scope="module")
def house(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A closed day of 500 small files, another with one, and a day that is still written."""
    house = House(spark, tmp_path_factory.mktemp("compact"))
    create_bronze(spark, house.path, house.contract)
    house.append(house.records(5 * FILES, CLOSED), FILES)
    house.append(house.records(50, OTHER), 1)
    house.append(house.records(50, TODAY), 5)
    return house


@pytest.fixture(scope="module")
def compacted(house: House) -> dict[str, Any]:
    """Compact it once; the tests look at what was there before and what is there after."""
    before = {"rows": house.rows(), "files": {day: house.files(day) for day in (CLOSED, OTHER, TODAY)}}
    before["version"] = house.ledger.latest_version()
    return before | {"days": house.compact()}


def test_500_small_files_of_a_closed_day_become_3_or_fewer(house: House, compacted: dict[str, Any]) -> None:
    assert len(compacted["files"][CLOSED]) == FILES
    assert 1 <= len(house.files(CLOSED)) <= 3
    (day,) = compacted["days"]
    assert (day["before"]["day"], day["before"]["files"], day["before"]["records"]) == (str(CLOSED), FILES, 5 * FILES)
    assert (day["after"]["files"], day["after"]["records"]) == (len(house.files(CLOSED)), 5 * FILES)


def test_every_row_and_column_is_the_same(house: House, compacted: dict[str, Any]) -> None:
    assert compacted["rows"].num_rows == 5 * FILES + 100
    assert house.rows().equals(compacted["rows"], check_metadata=True)


def test_other_days_are_untouched(house: House, compacted: dict[str, Any]) -> None:
    for day, files in ((OTHER, 1), (TODAY, 5)):
        assert len(compacted["files"][day]) == files
        assert house.files(day) == compacted["files"][day]


def test_the_ledger_sees_no_change_of_data(house: House, compacted: dict[str, Any]) -> None:
    commits = list(house.ledger.commits(compacted["version"] + 1))
    assert [(commit.operation, commit.changes_data, commit.is_unlabelled) for commit in commits] == [
        ("OPTIMIZE", False, False)
    ]


def test_a_second_run_does_nothing(house: House, compacted: dict[str, Any]) -> None:
    version = house.ledger.latest_version()
    assert house.compact() == []
    assert house.compact("--date", str(CLOSED)) == []
    assert house.ledger.latest_version() == version


@contextmanager
def until_ended(job: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        job.kill()


def test_it_works_while_another_writer_appends(house: House, compacted: dict[str, Any]) -> None:
    late, more = house.records(20, CLOSED).persist(), house.records(5, TODAY).persist()
    house.append(late, 20)
    due = {CLOSED: house.count(CLOSED), TODAY: house.count(TODAY)}
    version = house.ledger.latest_version()
    job = house.start()
    with until_ended(job):
        while job.poll() is None:
            for rows, day in ((late, CLOSED), (more, TODAY)):
                house.append(rows, 1)
                due[day] += rows.count()
    (compacted_day,) = house.finish(job)
    assert compacted_day["before"]["day"] == str(CLOSED)
    operations = [commit.operation for commit in house.ledger.commits(version + 1)]
    during = operations[: operations.index("OPTIMIZE")].count("WRITE")
    assert during > 3, "nobody wrote beside it"
    assert operations.count("OPTIMIZE") == 1
    assert {each: house.count(each) for each in due} == due


def test_upkeep_does_what_is_due_and_the_second_run_nothing(house: House, compacted: dict[str, Any]) -> None:
    house.append(house.records(20, OTHER), 20)
    rows = house.rows().num_rows
    done = house.maintain()
    version = house.ledger.latest_version()
    assert list(done) == ["compact", "vacuum", "ledger"]
    days = {day["before"]["day"]: day for day in done["compact"]["days"]}
    assert days[str(OTHER)]["before"]["files"] > days[str(OTHER)]["after"]["files"] == 1
    assert done["compact"]["checked"] == sum(day["before"]["records"] for day in days.values())
    assert (done["vacuum"]["files"], done["ledger"]["commits"]) == (0, version + 1)
    assert house.maintain() == {}
    first, *_, last = house.runs()
    assert (first["files_before"], first["outcome"], list(json.loads(first["done"]))) == (506, "ok", ["compact"])
    assert (last["rows_before"], last["rows_after"], last["version_after"]) == (rows, rows, version)
    assert list(json.loads(last["done"])) == list(done)
