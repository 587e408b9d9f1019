"""The bronze stream on real Kafka, Spark and Delta: whatever happens, each offset lands once."""

import fcntl
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer
from prometheus_client import REGISTRY, generate_latest
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from streaming.fence import fence
from streaming.rules import RuleBreach
from streaming.streams.bronze import BronzeStream
from tests.exposition import Exposition
from tests.kafka import Broker
from tests.streams import land, landed, positions, ride, ride_contract, rows, send, settings_in, wait_until
from tidemark.adopt import adopt_topic
from tidemark.contracts import Contract
from tidemark.ledger import Ledger, ends
from tidemark.locks import LockHeld, driver_lock, exclusive, owner_lock
from tidemark.settings import ROOT, Settings
from tidemark.topics import Topics

pytestmark = pytest.mark.services


class House:
    """One contract with its topic, settings and stream."""

    def __init__(self, home: Path, broker: Broker, spark: SparkSession) -> None:
        self.broker = broker
        self.spark = spark
        self.settings: Settings = settings_in(home, broker)
        self.contract: Contract = ride_contract(home / "contracts", broker.topic(partitions=2))
        self.topic = self.contract.topic
        self.checkpoint = self.settings.checkpoint(self.contract.bronze_query)
        self.ledger = Ledger(self.settings.table("bronze", self.contract.id))

    def stream(self) -> BronzeStream:
        return BronzeStream(self.contract, self.settings)

    def send(self, count: int, first: int = 0) -> None:
        send(self.broker, self.topic, (ride(number) for number in range(first, first + count)))

    def land(self) -> list[tuple[int, int]]:
        """Take everything there is; give the positions of all rows."""
        land(self.stream(), self.spark)
        return positions(rows(self.settings, self.contract))

    def ends(self) -> dict[int, int]:
        """Give where the ledger ends."""
        newest = self.ledger.newest_ingest()
        return ends(newest.label.ranges) if newest and newest.label else {}

    def everything(self) -> list[tuple[int, int]]:
        """Give every position that Kafka holds."""
        bounds = Topics(self.broker.bootstrap).bounds(self.topic)
        return [(part, offset) for part, bound in sorted(bounds.items()) for offset in range(bound.low, bound.high)]


@pytest.fixture
def house(tmp_path: Path, kafka: Broker, spark: SparkSession) -> House:
    return House(tmp_path, kafka, spark)


def test_good_and_bad_records_land_once_in_one_commit(house: House) -> None:
    values = [ride(1), b'{"mark-4711', None, b"", ride(2, amount=-1), ride(3)]
    before = Exposition(REGISTRY.collect())
    send(house.broker, house.topic, values, partition=0)
    found = landed(house.broker, house.settings, house.contract, house.spark)
    assert [row["_value"] for row in found] == values
    assert [row["_errors"] for row in found] == [[], ["malformed"], ["tombstone"], ["empty"], ["range:amount"], []]
    ingests = [commit for commit in house.ledger.commits() if commit.ingests and commit.rows]
    assert [commit.rows for commit in ingests] == [6]
    after = Exposition(REGISTRY.collect())
    own = house.contract.id
    reasons = dict.fromkeys(("malformed", "tombstone", "empty", "range"), 1)
    assert grown(before, after, "quarantined_rows_total", "reason", contract=own) == reasons
    names = ("landed_rows_total", "commits_total", "commit_retries_total")
    assert [grown(before, after, name, "contract").get(own) for name in names] == [6, 1, None]
    assert b"mark-4711" not in generate_latest(REGISTRY)


def grown(before: Exposition, after: Exposition, name: str, label: str, **others: str) -> dict[str, float]:
    """Give by how much each series of a counter has grown."""
    earlier, later = (each.by_label(name, label, **others) for each in (before, after))
    return {key: value - earlier.get(key, 0) for key, value in later.items() if value != earlier.get(key, 0)}


def test_ledger_has_every_offset_without_gap_or_overlap(house: House) -> None:
    for round_ in range(3):
        house.send(20, first=round_ * 20)
        house.land()
    reached: dict[int, int] = {0: 0, 1: 0}
    for commit in house.ledger.commits():
        for partition, (start, end) in (commit.ingests.ranges if commit.ingests else {}).items():
            assert start == reached[partition]
            reached[partition] = end
    assert sum(reached.values()) == 60


def test_replayed_batch_adds_no_rows(house: House) -> None:
    house.send(30)
    before = house.land()
    newest = max((house.checkpoint / "commits").glob("[0-9]*"), key=lambda path: int(path.name))
    newest.with_name(f".{newest.name}.crc").unlink()
    newest.unlink()  # as after a crash between the Delta commit and the checkpoint's own
    assert house.land() == before == house.everything()


def test_deleted_checkpoint_resumes_from_the_ledger(house: House) -> None:
    house.send(30)
    house.land()
    shutil.rmtree(house.checkpoint)
    house.send(30, first=30)
    assert house.land() == house.everything()


def test_older_copy_of_the_checkpoint_is_moved_aside(house: House, tmp_path: Path) -> None:
    house.send(10)
    house.land()
    shutil.copytree(house.checkpoint, tmp_path / "copy")
    for round_ in (1, 2, 3):
        house.send(10, first=round_ * 10)
        house.land()
    shutil.rmtree(house.checkpoint)
    shutil.copytree(tmp_path / "copy", house.checkpoint)
    house.send(10, first=40)
    assert house.land() == house.everything()
    assert list(house.checkpoint.parent.glob("*.superseded-*"))


def test_recreated_topic_is_refused_until_it_is_adopted(house: House) -> None:
    house.send(10)
    house.land()
    topics = Topics(house.broker.bootstrap)
    topics.delete(house.topic)
    topics.ensure(house.topic, 2)
    house.send(50, first=100)
    with pytest.raises(RuleBreach, match=r"deleted and created again(.|\n)*tidemark topic adopt ride_events"):
        house.stream().start(house.spark)
    assert len(rows(house.settings, house.contract)) == 10
    adopt_topic(house.settings, house.contract)
    assert house.land() == house.everything()


def test_topic_recreated_under_a_running_stream_stops_it(house: House) -> None:
    house.send(10)
    stream = house.stream()
    query = stream.start(house.spark)
    try:
        query.processAllAvailable()
        topics = Topics(house.broker.bootstrap)
        topics.delete(house.topic)
        topics.ensure(house.topic, 2)
        house.send(500, first=100)
        with pytest.raises(StreamingQueryException):
            query.processAllAvailable()
    finally:
        query.stop()
    assert len(rows(house.settings, house.contract)) == 10


def test_partitions_added_while_it_runs_are_taken_from_their_beginning(house: House) -> None:
    house.send(10)
    query = house.stream().start(house.spark)
    try:
        query.processAllAvailable()
        Topics(house.broker.bootstrap).add_partitions(house.topic, 4)
        for partition in range(4):
            send(house.broker, house.topic, [ride(partition)] * 5, partition=partition)
        # The source asks for partitions once a batch: until it knows all four, "all available" is less.
        wait_until(lambda: len(house.ends()) == 4, 30, "the stream knows four partitions")
        query.processAllAvailable()
    finally:
        query.stop()
    assert positions(rows(house.settings, house.contract)) == house.everything()
    house.send(10)
    assert house.land() == house.everything()


def test_aborted_records_are_nowhere(house: House) -> None:
    producer = Producer({"bootstrap.servers": house.broker.bootstrap, "transactional.id": str(uuid.uuid4())})
    producer.init_transactions()
    for number, commits in enumerate((True, False, True, False)):
        producer.begin_transaction()
        for event in range(5):
            producer.produce(house.topic, ride(number * 10 + event, user_id="kept" if commits else "aborted"))
        producer.flush()
        (producer.commit_transaction if commits else producer.abort_transaction)()
        house.land()
    found = rows(house.settings, house.contract)
    assert [row["user_id"] for row in found] == ["kept"] * 10
    bounds = Topics(house.broker.bootstrap).bounds(house.topic)
    assert house.ends() == {partition: bound.last_stable for partition, bound in bounds.items()}


def test_second_instance_is_refused_before_spark_starts(house: House) -> None:
    environment = {
        "TIDEMARK_HOME": str(house.settings.home),
        "TIDEMARK_CONTRACTS_DIR": str(house.settings.home / "contracts"),
        "TIDEMARK_KAFKA_BOOTSTRAP": house.broker.bootstrap,
        "JAVA_HOME": "/nonexistent",  # starting Spark would fail in another way
        "PATH": "",
    }
    command = [sys.executable, "-m", "streaming.run", "--only", house.contract.bronze_query]
    with exclusive(owner_lock(house.settings.locks, house.contract.bronze_query), "the stream"):
        second = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert f"stream {house.contract.bronze_query} is held by process" in second.stderr


def test_a_driver_that_outlived_its_stream_keeps_the_next_one_waiting(house: House) -> None:
    house.send(5)
    path = driver_lock(house.settings.locks, house.contract.bronze_query)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as driver:
        driver.write("4711")
        driver.flush()
        fcntl.lockf(driver, fcntl.LOCK_EX)  # the kind that Java takes
        with pytest.raises(LockHeld, match="may still be written by the Spark driver 4711"):
            fence(house.spark, path, "the table", wait_seconds=0.3)
    assert house.land() == house.everything()
    with path.open("r+") as other, pytest.raises(BlockingIOError):
        fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
