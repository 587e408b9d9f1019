"""What Tidemark learns from a real Kafka."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka import Broker, free_ports
from tidemark.topics import Bounds, KafkaAway, Topics, UnknownTopic

pytestmark = pytest.mark.services

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def topics(kafka: Broker) -> Topics:
    return Topics(kafka.bootstrap)


def send(kafka: Broker, topic: str, *times: int, partition: int = 0) -> None:
    """Send one record for each time (epoch ms)."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 2})
    for each in times:
        producer.produce(topic, b"record", partition=partition, timestamp=each)
    assert producer.flush(10) == 0


def transaction(kafka: Broker, topic: str, records: int) -> Producer:
    """Begin a transaction and send `records` in it."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic, "log_level": 2})
    producer.init_transactions(10)
    producer.begin_transaction()
    for _ in range(records):
        producer.produce(topic, b"record", partition=0)
    assert producer.flush(10) == 0
    return producer


def eventually(done: Callable[[], bool], within: float = 10.0) -> bool:
    """Wait until `done`: Kafka writes a transaction's marker, and a topic's id, after it has said that it did."""
    deadline = time.monotonic() + within
    while not done() and time.monotonic() < deadline:
        time.sleep(0.05)
    return done()


def test_a_topic_is_created_once(topics: Topics) -> None:
    name = f"created_once_{time.time_ns()}"
    assert topics.ensure(name, 3) is True
    assert topics.ensure(name, 3) is False
    assert topics.partitions(name) == [0, 1, 2]


def test_of_many_that_create_a_topic_at_once_exactly_one_did(kafka: Broker) -> None:
    name = f"raced_{time.time_ns()}"
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda _: Topics(kafka.bootstrap).ensure(name, 2), range(8)))
    assert sorted(created) == [False] * 7 + [True]


def test_a_refusal_says_what_was_refused(topics: Topics) -> None:
    with pytest.raises(Exception, match=r"refused to create topic 'odd': .*no\.such\.setting"):
        topics.ensure("odd", 1, {"no.such.setting": "1"})


def test_a_topic_made_anew_has_another_identity(kafka: Broker, topics: Topics) -> None:
    name = kafka.topic()
    first = topics.identity(name)
    assert first is not None and len(first) == 22 and topics.identity(name) == first
    topics.delete(name)
    assert topics.identity(name) is None
    topics.ensure(name, 1)
    assert topics.identity(name) not in (None, first)


def test_identity_is_written_as_kafka_writes_it(kafka: Broker, topics: Topics) -> None:
    # Twelve, because only three ids in ten have a letter that the two ways of base64 write differently
    ids = {name: topics.identity(name) for name in (kafka.topic() for _ in range(12))}
    files = {name: kafka.data / f"{name}-0" / "partition.metadata" for name in ids}
    assert eventually(lambda: all(file.exists() for file in files.values()))
    for name, file in files.items():
        assert file.read_text().split() == ["version:", "0", "topic_id:", ids[name]]


def test_bounds_follow_what_is_sent_and_what_expires(kafka: Broker, topics: Topics) -> None:
    name = kafka.topic(partitions=2)
    assert topics.bounds(name) == {0: Bounds(0, 0, 0), 1: Bounds(0, 0, 0)}
    send(kafka, name, 1, 2, 3, partition=1)
    client = AdminClient({"bootstrap.servers": kafka.bootstrap})
    client.delete_records([TopicPartition(name, 1, 2)])[TopicPartition(name, 1)].result(10)
    assert topics.bounds(name) == {0: Bounds(0, 0, 0), 1: Bounds(2, 3, 3)}


def test_an_open_transaction_holds_back_what_is_stable(kafka: Broker, topics: Topics) -> None:
    name = kafka.topic()
    send(kafka, name, 1, 2)
    producer = transaction(kafka, name, records=3)
    assert topics.bounds(name)[0] == Bounds(0, 2, 5)
    producer.abort_transaction(10)
    decided = Bounds(0, 6, 6)  # the marker has an offset too
    assert eventually(lambda: topics.bounds(name)[0] == decided)


def test_offsets_at_a_time(kafka: Broker, topics: Topics) -> None:
    name = kafka.topic(partitions=2)
    start = int(LONG_AGO.timestamp() * 1000)
    send(kafka, name, start, start + 1000, start + 2000)
    expected = {0: 0, 1: 1, 1000: 1, 1001: 2, 2001: 3}
    found = {ms: topics.offsets_at(name, LONG_AGO + timedelta(milliseconds=ms)) for ms in expected}
    assert found == {ms: {0: offset, 1: 0} for ms, offset in expected.items()}


def test_offsets_at_a_time_counts_a_part_of_a_millisecond(kafka: Broker, topics: Topics) -> None:
    name = kafka.topic()
    send(kafka, name, int(LONG_AGO.timestamp() * 1000))
    assert topics.offsets_at(name, LONG_AGO + timedelta(microseconds=1)) == {0: 1}
    assert topics.offsets_at(name, LONG_AGO.astimezone(timezone(timedelta(hours=5)))) == {0: 0}
    with pytest.raises(ValueError, match="needs its time zone"):
        topics.offsets_at(name, LONG_AGO.replace(tzinfo=None))


def test_offsets_at_a_time_stop_at_the_last_stable_offset(kafka: Broker, topics: Topics) -> None:
    name = kafka.topic()
    send(kafka, name, 1, 2)
    producer = transaction(kafka, name, records=3)
    assert topics.offsets_at(name, LONG_AGO) == {0: 2}
    producer.abort_transaction(10)


def test_a_compacted_topic_is_known(kafka: Broker, topics: Topics) -> None:
    assert topics.is_compacted(kafka.topic(cleanup_policy="compact"))
    assert topics.is_compacted(kafka.topic(cleanup_policy="compact,delete"))
    assert not topics.is_compacted(kafka.topic())


def test_added_partitions_can_be_used_at_once(kafka: Broker, topics: Topics) -> None:
    name = kafka.topic()
    topics.add_partitions(name, 4)
    assert topics.partitions(name) == [0, 1, 2, 3]
    assert topics.bounds(name)[3] == Bounds(0, 0, 0)


@pytest.mark.parametrize("ask", ["partitions", "bounds", "is_compacted", "delete"])
def test_an_unknown_topic_is_named(topics: Topics, ask: str) -> None:
    with pytest.raises(UnknownTopic, match="topic 'no_such_topic': there is none at 127"):
        getattr(topics, ask)("no_such_topic")


def test_kafka_away_is_said_once_with_the_fix(capfd: pytest.CaptureFixture[str]) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(KafkaAway) as caught:
        Topics(address, timeout=1.5).bounds("ride_events")
    assert address in str(caught.value) and "describe topic 'ride_events'" in str(caught.value)
    assert "make stream-up" in str(caught.value) and "TIDEMARK_KAFKA_BOOTSTRAP" in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_broker_that_comes_back_has_its_topics(kafka: Broker, topics: Topics) -> None:
    name = kafka.topic()
    send(kafka, name, 1, 2, 3)
    identity = topics.identity(name)
    kafka.stop()
    with pytest.raises(KafkaAway):
        Topics(kafka.bootstrap, timeout=1).bounds(name)
    kafka.start()
    assert topics.identity(name) == identity
    assert topics.bounds(name)[0] == Bounds(0, 3, 3)
