"""Produce: send generated records to Kafka, acknowledged by all replicas, and say what was sent."""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
from confluent_kafka import KafkaException, Producer

from tidemark.contracts import Contract
from tidemark.domains.event import Encode
from tidemark.domains.mix import Record, Records
from tidemark.errors import TidemarkError
from tidemark.settings import Settings

# Gives the records acknowledged so far
Progress = Callable[[int], None]

_CHUNK = 2000  # records between two looks at the clock when sending as fast as possible
_TICK = 0.05  # seconds; the shortest wait when sending at a rate
_GLANCE = 0.25  # seconds; the longest time without a word of progress
_FASTEST = 10_000_000.0
_LONGEST = 366 * 86_400.0
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Plan:
    """How many records to send, and how many a second; without a rate as fast as Kafka takes them."""

    total: int
    rate: float | None = None

    def due(self, elapsed: float) -> int:
        """Say how many records are to be sent `elapsed` seconds after the start."""
        return self.total if self.rate is None else min(self.total, int(elapsed * self.rate) + 1)

    def wait(self, sent: int, elapsed: float) -> float:
        """Say how many seconds to wait for the next record."""
        return 0.0 if self.rate is None else min(max(sent / self.rate - elapsed, _TICK), _GLANCE)


@dataclass
class Sent:
    """What was sent. Every record is good or bad; either may be sent again (a duplicate) or late as well.

    `distinct_good` leaves duplicates out: it is what a table without duplicates gains.
    """

    contract: str
    topic: str
    seed: int
    produced: int = 0
    good: int = 0
    bad: int = 0
    duplicates: int = 0
    late: int = 0
    distinct_good: int = 0
    unacknowledged: int = 0
    seconds: float = 0.0
    bad_by_kind: Counter[str] = field(default_factory=Counter)

    def count(self, record: Record) -> None:
        """Count one record."""
        self.produced += 1
        self.duplicates += record.again
        self.late += record.late
        if record.bad is None:
            self.good += 1
            self.distinct_good += not record.again
        else:
            self.bad += 1
            self.bad_by_kind[record.bad] += 1

    def as_json(self) -> dict[str, Any]:
        """Give all of it in plain types."""
        return {
            **asdict(self),
            "seconds": round(self.seconds, 3),
            "bad_by_kind": dict(sorted(self.bad_by_kind.items())),
        }


def plan_of(count: int | None, rate: float | None, duration: str | None) -> Plan:
    """Make a plan of what the command line says.

    Raises:
        TidemarkError: it says too little, too much or a wrong number.
    """
    if count is not None and rate is None and duration is None:
        if count < 1:
            raise TidemarkError(f"--count: found {count}; allowed is 1 or more")
        return Plan(count)
    if count is not None or rate is None or duration is None:
        found = [
            name for name, given in (("--count", count), ("--rate", rate), ("--for", duration)) if given is not None
        ]
        raise TidemarkError(
            f"found {' and '.join(found) or 'neither --count nor --rate'}; allowed is --count, or --rate with --for",
            "for example `--count 1000`, or `--rate 500 --for 60s`",
        )
    if not 0 < rate <= _FASTEST:
        raise TidemarkError(f"--rate: found {rate:g}; allowed is above 0 and at most {_FASTEST:g} records a second")
    return Plan(max(1, round(rate * seconds_of(duration))), rate)


def seconds_of(duration: str) -> float:
    """Read a duration: `60`, `60s`, `5m`, `1.5h`.

    Raises:
        TidemarkError: it is none, or is no time at all.
    """
    match = _DURATION.fullmatch(duration.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 0 < seconds <= _LONGEST:
        raise TidemarkError(f"--for: found {duration!r}; allowed is a time like 60, 60s, 5m or 2h, at most 366d")
    return seconds


class Outbox:
    """The way to one topic: an idempotent producer that waits for all replicas and counts what they refuse."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self.refused = 0
        self.reason = ""
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 50,
                "batch.size": 1_000_000,
                "queue.buffering.max.messages": 100_000,
                "queue.buffering.max.kbytes": 65_536,
                # A restart of Kafka takes less; a record refused after it is counted
                "message.timeout.ms": 120_000,
                # A report for every record would cost more than the record
                "delivery.report.only.error": True,
                "on_delivery": self._refuse,
                # That Kafka is away is said by us, once
                "log_level": 2,
            }
        )

    def send(self, record: Record) -> None:
        """Queue a record; wait for room where there is none.

        Raises:
            TidemarkError: the producer can't go on.
        """
        while True:
            try:
                self._producer.produce(self._topic, record.value, record.key, headers=[*record.headers])
            except BufferError:
                self._producer.poll(_GLANCE)
            except KafkaException as error:
                raise TidemarkError(f"topic {self._topic}: a record can't be sent: {error.args[0].str()}") from None
            else:
                return

    def wait(self, seconds: float) -> None:
        """Wait, and hear what Kafka says meanwhile."""
        self._producer.poll(seconds)

    def waiting(self) -> int:
        """Count the records that Kafka has not acknowledged yet."""
        # The producer counts what it has to say too, as of a Kafka that is away: what is heard is off the count.
        self._producer.poll(0)
        return len(self._producer)

    def drain(self) -> int:
        """Wait a moment for acknowledgements; count those still due."""
        return self._producer.flush(_GLANCE)

    def _refuse(self, error: Any, message: Any) -> None:
        if error is not None:
            self.refused += 1
            self.reason = self.reason or error.str()


def encoder_of(contract: Contract, settings: Settings) -> Encode:
    """Give the function that writes the contract's records: JSON, or Avro with a schema of the registry.

    Raises:
        TidemarkError: it is Avro, and the registry does not answer or does not have the schema.
    """
    if contract.format != "avro":
        return orjson.dumps
    # It takes most of a second to load, and no other format needs it
    from tidemark.avro_records import avro_encoder

    return avro_encoder(contract, settings.registry_address)


def produce(records: Records, plan: Plan, outbox: Outbox, shown: Progress) -> Sent:
    """Send the planned records and wait until Kafka has acknowledged or refused each of them."""
    sent = Sent(records.contract.id, records.contract.topic, records.seed)
    started = time.monotonic()
    while sent.produced < plan.total:
        elapsed = time.monotonic() - started
        due = min(plan.due(elapsed) - sent.produced, _CHUNK)
        if due <= 0:
            outbox.wait(plan.wait(sent.produced, elapsed))
        for record in records.take(due, _now_ms()):
            outbox.send(record)
            sent.count(record)
        shown(sent.produced - outbox.waiting())
    while outbox.drain():
        shown(sent.produced - outbox.waiting())
    shown(sent.produced)
    sent.seconds = time.monotonic() - started
    sent.unacknowledged = outbox.refused
    return sent


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
