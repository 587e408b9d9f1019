"""mirror on real Kafka and Spark: every record arrives, good or bad, in its partition and in order."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from pyspark.sql import SparkSession

from streaming.host import StreamHost
from streaming.rules import RuleBreach
from streaming.run import all_streams
from streaming.streams.mirror import MirrorStream
from tests.kafka import Broker
from tests.streams import contract_on, land, settings_in, wait_until
from tidemark.topics import Topics

pytestmark = pytest.mark.services

PARTITIONS = 3
LARGEST = 1_500_000  # bytes that the topic allows; Kafka's client by default allows a mebibyte
PATIENCE = 30


Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Sent:
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def log_line(number: int) -> bytes:
    return b'{"log_id":"%d","service":"api","level":"INFO","message":"m","timestamp":"2026-01-02T03:04:05Z"}' % number


class Hall:
    """A mirror of a topic of its own."""

    def __init__(self, home: Path, broker: Broker, spark: SparkSession) -> None:
        self.spark = spark
        self.topics = Topics(broker.bootstrap)
        self._broker = broker
        topic = broker.topic(PARTITIONS, max_message_bytes=str(LARGEST), retention_ms="86400000")
        self.contract = contract_on("app_logs", home / "contracts", topic)
        self.settings = settings_in(home, broker)

    def stream(self) -> MirrorStream:
        return MirrorStream(self.contract, self.settings, {self.contract.topic})

    def send(self, partition: int, *records: Sent) -> None:
        # A new one each time: it knows the partitions that there are now
        producer = Producer({"bootstrap.servers": self._broker.bootstrap, "message.max.bytes": LARGEST, "log_level": 0})
        for each in records:
            producer.produce(self.contract.topic, each.value, each.key, partition, headers=list(each.headers))
        assert producer.flush(PATIENCE) == 0

    def found(self, topic: str) -> Sequence[Sequence[Sent]]:
        """Give the records of each partition of a topic, without what the mirror reports."""
        bounds = self.topics.bounds(topic)
        found: list[list[Sent]] = [[] for _ in bounds]
        consumer = Consumer({"bootstrap.servers": self._broker.bootstrap, "group.id": "test", "log_level": 0})
        consumer.assign([TopicPartition(topic, partition, each.low) for partition, each in bounds.items()])
        for _ in range(sum(each.high - each.low for each in bounds.values())):
            (message,) = consumer.consume(1, PATIENCE)
            headers = cast(Headers, message.headers() or [])
            own = tuple(header for header in headers if not header[0].startswith("__connect."))
            found[message.partition() or 0].append(Sent(message.value(), message.key(), own))
        consumer.close()
        return found


@pytest.fixture
def hall(tmp_path: Path, kafka: Broker, spark: SparkSession) -> Hall:
    return Hall(tmp_path, kafka, spark)


def test_good_and_bad_records_arrive_once_over_a_restart_each_in_its_partition_and_in_order(hall: Hall) -> None:
    good = [Sent(log_line(number), b"k%d" % (number % 5), (("n", b"%d" % number),)) for number in range(60)]
    bad = [Sent(b"{"), Sent(None, b"k"), Sent(log_line(0).replace(b"INFO", b"LOUD"), b"k", (("a", b"1"), ("a", None)))]
    bad.append(Sent(os.urandom(LARGEST - 200), b"as large as it may be"))
    for start in (0, 30):
        for partition in range(PARTITIONS):
            hall.send(partition, *good[start + partition : start + 30 : PARTITIONS], *bad)
        land(hall.stream(), hall.spark)
    assert hall.found(hall.contract.clean_topic) == [good[partition::PARTITIONS] for partition in range(PARTITIONS)]
    assert hall.found(hall.contract.dlq_topic) == [bad * 2] * PARTITIONS
    assert hall.topics.config(hall.contract.clean_topic)["retention.ms"] == "86400000"


def test_a_topic_that_is_deleted_or_too_narrow_is_named_and_made_at_the_next_start(hall: Hall) -> None:
    clean = hall.contract.clean_topic
    with ExitStack() as owned:
        host = StreamHost(hall.stream(), hall.spark, owned)
        host.start()
        try:
            hall.send(0, Sent(log_line(1)))
            wait_until(lambda: arrived(hall, 0) == 1, PATIENCE, "the first record")
            hall.topics.delete(clean)
            hall.send(0, Sent(log_line(2)))
            wait_until(lambda: f"topic '{clean}' is gone" in host.state.last_error, PATIENCE, host.state.last_error)
            wait_until(lambda: arrived(hall, 0) == 1, PATIENCE, "the record that had nowhere to go")
            hall.topics.add_partitions(hall.contract.topic, PARTITIONS + 1)
            hall.send(PARTITIONS, Sent(log_line(3)))
            wait_until(lambda: arrived(hall, PARTITIONS) == 1, PATIENCE, host.state.last_error)
        finally:
            host.stop()
    assert hall.found(clean) == [[Sent(log_line(2))], [], [], [Sent(log_line(3))]]
    assert f"topic '{clean}' has 3 partitions, and 4 are needed" in host.state.last_error


def arrived(hall: Hall, partition: int) -> int:
    """Count the good records that are in a partition of the mirror."""
    clean = hall.contract.clean_topic
    bounds = hall.topics.bounds(clean) if hall.topics.identity(clean) else {}
    return bounds[partition].high if partition in bounds else 0


def test_a_mirror_that_would_write_what_another_contract_reads_is_refused(hall: Hall, tmp_path: Path) -> None:
    dlq = hall.contract.dlq_topic
    contracts = {"app_logs": hall.contract, "ride_events": contract_on("ride_events", tmp_path / "contracts", dlq)}
    (mirror,) = [stream for stream in all_streams(hall.settings, contracts) if stream.name.startswith("mirror_")]
    with pytest.raises(RuleBreach, match=f"mirror_app_logs: would write to {dlq}, which is read"):
        mirror.start(hall.spark)
