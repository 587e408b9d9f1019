"""What the contestants read: ride events of about 127 bytes, one in a hundred bad."""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from confluent_kafka import Producer

_TYPES = ("requested", "started", "completed", "paid")


Encode = Callable[[dict[str, Any]], bytes]


def event(chance: random.Random, now: int, encode: Encode = orjson.dumps) -> bytes:
    """Make one event; `now` in ms."""
    made = {
        "event_id": f"{chance.getrandbits(128):032x}",
        "user_id": f"u{chance.randrange(100_000):06d}",
        "event_type": _TYPES[chance.randrange(4)],
        "amount": round(chance.random() * 60, 2),
        "ts": now,
    }
    value = encode(made)
    return value[:-20] if chance.randrange(100) == 0 else value


def fill(bootstrap: str, topic: str, count: int, age: timedelta = timedelta(), encode: Encode = orjson.dumps) -> None:
    """Produce `count` events as fast as they can be made, all of them so old."""
    producer = _producer(bootstrap, linger=50)
    chance = random.Random(1)  # noqa: S311 - the same load each time
    for _ in range(count):
        now = time.time_ns() // 1_000_000 - round(age.total_seconds() * 1000)
        _send(producer, topic, event(chance, now, encode), now)
    producer.flush()


def steady(bootstrap: str, topic: str, rate: int, seconds: int) -> None:
    """Produce at a steady rate, in steps of 10 ms."""
    producer = _producer(bootstrap, linger=5)
    chance = random.Random(2)  # noqa: S311 - the same load each time
    began = time.monotonic()
    sent = 0
    while (elapsed := time.monotonic() - began) < seconds:
        while sent < elapsed * rate:
            _send(producer, topic, event(chance, time.time_ns() // 1_000_000))
            sent += 1
        producer.poll(0)
        time.sleep(0.01)
    producer.flush()


def _producer(bootstrap: str, linger: int) -> Producer:
    return Producer({"bootstrap.servers": bootstrap, "linger.ms": linger, "acks": "all", "enable.idempotence": True})


def _send(producer: Producer, topic: str, value: bytes, at: int = 0) -> None:
    """Send a record; `at` is its time in ms, 0: now."""
    while True:
        try:
            producer.produce(topic, value, timestamp=at)
            return
        except BufferError:
            producer.poll(0.1)
