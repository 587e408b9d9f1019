"""ride_counts on real Kafka, Spark and Delta: its table and its topic have what plain Python counts."""

import json
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from streaming.health import described
from streaming.host import StreamState
from streaming.speed import SpeedStream
from streaming.streams.ride_counts import RIDE_COUNTS
from tests.kafka import Broker
from tests.streams import land, ride, ride_contract, send, settings_in
from tests.windows import Count, Event, by_hand
from tidemark.topics import Topics

pytestmark = pytest.mark.services

KINDS = ("requested", "started", "completed", "paid")


class House:
    """The stream with topics of its own, and what it has been sent."""

    def __init__(self, home: Path, broker: Broker, spark: SparkSession) -> None:
        self.broker = broker
        self.spark = spark
        self.settings = settings_in(home, broker)
        self.contract = ride_contract(home / "contracts", broker.topic(partitions=2))
        self.counts = f"counts_{uuid.uuid4().hex}"
        self.layer = replace(RIDE_COUNTS, topic=self.counts, trigger_seconds=0)
        self.sent: list[Event] = []
        self.now = datetime.now(UTC)
        self._random = Random(5)

    def send(self, count: int, minutes_ago: float, within: float = 1.0) -> None:
        """Send good rides of some minutes, and as many bad ones."""
        first = self.now - timedelta(minutes=minutes_ago)
        events = [
            (self._random.choice(KINDS), first + timedelta(milliseconds=self._random.randrange(int(within * 60_000))))
            for _ in range(count)
        ]
        self.sent += [
            (kind, happened.replace(microsecond=happened.microsecond // 1000 * 1000)) for kind, happened in events
        ]
        values = [
            ride(0, event_type=kind, ts=int(happened.timestamp() * 1000)) for kind, happened in self.sent[-count:]
        ]
        bad = [ride(0, amount=-1, ts=int(happened.timestamp() * 1000)) for _, happened in events]
        send(self.broker, self.contract.topic, [each for pair in zip(values, bad, strict=True) for each in pair])

    def land(self) -> None:
        land(self.stream(), self.spark)

    def stream(self) -> SpeedStream:
        return SpeedStream(self.layer, {"ride_events": self.contract}, self.settings)

    @property
    def table(self) -> set[Count]:
        return counts(DeltaTable(self.settings.table("speed", self.layer.name)).to_pyarrow_table().to_pylist())

    @property
    def topic(self) -> set[Count]:
        """Give the newest record of each key."""
        bounds = Topics(self.broker.bootstrap).bounds(self.counts)
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "test", "log_level": 0})
        consumer.assign([TopicPartition(self.counts, part, each.low) for part, each in bounds.items()])
        newest: dict[bytes, dict[str, Any]] = {}
        left = sum(each.high - each.low for each in bounds.values())
        while left:
            for message in consumer.consume(left, 10):
                newest[message.key() or b""] = json.loads(message.value() or b"")
                left -= 1
        consumer.close()
        for row in newest.values():
            row.update({name: datetime.fromisoformat(row[name]) for name in ("window_start", "window_end")})
        return counts(newest.values())


def counts(rows: Iterable[dict[str, Any]]) -> set[Count]:
    listed = [(row["event_type"], row["window_start"], row["window_end"], row["count_events"]) for row in rows]
    assert len(set(listed)) == len(listed)
    return set(listed)


@pytest.fixture
def house(tmp_path: Path, kafka: Broker, spark: SparkSession) -> House:
    return House(tmp_path, kafka, spark)


def test_table_and_topic_have_the_exact_counts_over_a_restart(house: House) -> None:
    house.send(200, minutes_ago=6, within=5)
    house.land()
    assert house.table == by_hand(house.sent)
    house.send(200, minutes_ago=6, within=6)
    house.land()
    assert len(house.sent) == 400
    assert house.table == house.topic == by_hand(house.sent)


def test_what_is_late_beyond_the_watermark_changes_no_window_and_is_counted(house: House) -> None:
    stream = house.stream()
    state = StreamState(stream, "running", query=stream.start(house.spark))
    assert state.query
    try:
        house.send(50, minutes_ago=2)
        state.query.processAllAvailable()  # the watermark is known when the next batch begins
        due = by_hand(house.sent)
        for minutes_ago in (30, 60):
            house.send(50, minutes_ago=minutes_ago)
            state.query.processAllAvailable()
    finally:
        state.query.stop()
    assert house.table == due
    dropped = [described(state)["numRowsDroppedByWatermark"] for _ in range(2)]
    # A window counts once in each micro-batch that has an event of it, and each event is in two windows.
    assert len(by_hand(house.sent[50:])) <= dropped[0] <= 2 * 100
    assert dropped[0] == dropped[1]


def test_a_deleted_checkpoint_rebuilds_open_windows_and_leaves_older_ones(house: House) -> None:
    house.send(50, minutes_ago=40)
    house.send(50, minutes_ago=3)
    house.land()
    assert house.table == by_hand(house.sent)
    shutil.rmtree(house.settings.checkpoint(house.layer.name))
    # What is left of the old minute would count fewer than there were
    gone = [TopicPartition(house.contract.topic, partition, 10) for partition in (0, 1)]
    client = AdminClient({"bootstrap.servers": house.broker.bootstrap})
    for each in client.delete_records(gone).values():
        each.result(10)
    house.send(50, minutes_ago=3)
    house.land()
    assert house.table == by_hand(house.sent)
