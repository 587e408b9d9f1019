"""Faults of streams and their topics, each made for real and mended when its block ends."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from tests.e2e.watched import Watched, frozen
from tests.streams import ride, wait_until
from tidemark.locks import exclusive, write_lock
from tidemark.status import stream_statuses
from tidemark.topics import Topics

POISON = "ab" * 20_000
RIDES = 520_000  # each is two rows of state: one to know it again, one to find its payment
MANY = 1e6  # rows of state, as the rule has it

_STATE = 'tidemark_stream_state_rows{stream="payment_rides"}'
# For which a table is not let go: the micro-batch that waits for it, and the short one that catches up behind it, take
# longer than the ten seconds of the rule on average.
_REWRITE_SECONDS = 30.0
_PAUSE_SECONDS = 0.5


@contextmanager
def topic_made_anew(house: Watched) -> Iterator[None]:
    """Delete a topic under its stream, and create it again; the watch that Airflow keeps sees it."""
    topics = Topics(house.settings.bootstrap)
    topics.delete("recreated_rides")
    topics.ensure("recreated_rides", house.settings.topic_partitions)
    wait_until(lambda: _state(house, "bronze_recreated_rides") == "refused", 120, "the stream is refused")
    house.airflow.trigger("watch_streams")
    yield
    house.done("topic", "adopt", "recreated_rides")
    house.done("restart", "bronze_recreated_rides")


@contextmanager
def poisoned(house: Watched) -> Iterator[None]:
    """Send a record that breaks the driver, and when it was found another one."""
    landed = house.landed("fragile_rides")
    _send(house, "fragile_rides", ride(1, user_id=POISON))
    wait_until(lambda: house.landed("fragile_rides") > landed, 180, "the first one is quarantined")
    _send(house, "fragile_rides", ride(2, user_id=POISON))
    yield


@contextmanager
def stranger_writes(house: Watched) -> Iterator[None]:
    """Send a payment by a schema in which its id is a number."""
    client = SchemaRegistryClient({"url": house.settings.registry_address})
    fields = [{"name": "payment_id", "type": "long"}]
    schema = json.dumps({"type": "record", "name": "card_payments", "fields": fields})
    number = client.register_schema("stranger-value", Schema(schema, "AVRO"))
    _send(house, "card_payments", b"\x00" + number.to_bytes(4, "big") + b"\x02")
    yield


@contextmanager
def bad_records(house: Watched) -> Iterator[None]:
    """Let many of the rides break their contract."""
    with house.producing("ride_events", "--rate", "100", "--bad-rate", "0.8"):
        yield


@contextmanager
def standing_clock(house: Watched) -> Iterator[None]:
    """Let rides come that all have happened at one time."""
    house.unload("ride_events")
    then = time.time_ns() // 10**6
    with _again_and_again(lambda: _send(house, "ride_events", ride(1, ts=then))):
        yield
    house.load()


@contextmanager
def rides_without_end(house: Watched) -> Iterator[None]:
    """Send so many rides at once that a join has to keep a million rows."""
    now = time.time_ns() // 10**6
    producer = Producer({"bootstrap.servers": house.settings.bootstrap, "linger.ms": 50, "log_level": 0})
    for number in range(RIDES):
        _produced(producer, "ride_events", ride(number, event_id=f"many-{number}", ts=now))
    assert producer.flush(60) == 0
    wait_until(lambda: house.measured(_STATE) > MANY, 300, "the join keeps them")
    yield


@contextmanager
def rewritten_again_and_again(house: Watched) -> Iterator[None]:
    """Hold the lock of a table, as a job does that rewrites it, let it go for a moment, and hold it again."""
    lock = write_lock(house.settings.locks, "held_rides")

    def rewrite() -> None:
        with exclusive(lock, "held_rides", _REWRITE_SECONDS):
            Event().wait(_REWRITE_SECONDS)  # its work

    with house.producing("held_rides", "--rate", "5"), _again_and_again(rewrite):
        yield


@contextmanager
def kafka_hangs(house: Watched) -> Iterator[None]:
    """Let Kafka hang, and a person restart a stream: at the second time it waits for Kafka, and then gives up."""
    with frozen(house.service("kafka")):
        house.done("restart", "bronze_held_rides")
        again = house.run("restart", "bronze_held_rides")
        assert again.returncode and "did not stop" in again.stdout + again.stderr
        yield
    house.done("restart", "bronze_held_rides")


@contextmanager
def checkpoint_moved(house: Watched) -> Iterator[None]:
    """Move the checkpoint of an idle stream away."""
    checkpoint = house.settings.checkpoint("bronze_recreated_rides")
    checkpoint.rename(house.home / "moved")
    yield
    house.done("restart", "bronze_recreated_rides")


@contextmanager
def _again_and_again(act: Callable[[], None]) -> Iterator[None]:
    over = Event()

    def run() -> None:
        while not over.wait(_PAUSE_SECONDS):
            act()

    acting = Thread(target=run)
    acting.start()
    try:
        yield
    finally:
        over.set()
        acting.join()


def _state(house: Watched, stream: str) -> str:
    states = {each["name"]: str(each["state"]) for each in stream_statuses(house.settings)}
    return states.get(stream, "")


def _send(house: Watched, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": house.settings.bootstrap, "log_level": 0})
    producer.produce(topic, value, b"k")
    assert producer.flush(30) == 0


def _produced(producer: Producer, topic: str, value: bytes) -> None:
    """Hand a record over; where the producer's queue is full, wait until it has sent some."""
    while True:
        try:
            producer.produce(topic, value)
            return
        except BufferError:
            producer.poll(1)
