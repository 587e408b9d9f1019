"""Kafka's side of a comparison: the records of a topic, read fast and in bounded memory."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from tidemark.errors import TidemarkError
from tidemark.evidence import Hashed
from tidemark.record_hash import HEADERS, Integers, Records, row_hashes
from tidemark.spans import Span
from tidemark.topics import KafkaAway, Topics

_BATCH = 20_000  # records
_GLANCE = 0.05  # seconds that a batch waits for more: this, not the number of records, bounds its bytes
_PATIENCE = 30.0  # seconds without a record: a broker that restarts takes less

_FETCH = {
    "group.id": "tidemark-prove",  # librdkafka wants one; nothing is committed to it
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    # Where retention overtakes the reading: go on with what there is, what is gone is found by its absence
    "auto.offset.reset": "earliest",
    "queued.min.messages": 100_000,
    # Larger ones read no faster, and an answer takes many times its size once it is decompressed and cut into records
    "queued.max.messages.kbytes": 16 * 1024,
    "fetch.message.max.bytes": 2 * 1024 * 1024,
    "fetch.max.bytes": 8 * 1024 * 1024,
    "fetch.wait.max.ms": 10,  # the end of a partition is told by an empty answer
    "fetch.queue.backoff.ms": 10,  # with the default of a second the full queue runs dry
    "reconnect.backoff.max.ms": 1000,
    "log_level": 2,  # that a broker is away is said by KafkaAway, once
}

# Stands for headers with a name that isn't UTF-8: neither the client nor bronze, where names are text, can hold it. No
# row has this hash, so the record is found to be altered: what bronze has is not what Kafka has.
UNREADABLE = [("a header's name is not UTF-8", b"")]

_REFUSALS = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
}


class KafkaRecords:
    """The records of one topic.

    Its methods raise KafkaAway when nothing arrives for `patience` seconds, and TidemarkError for what Kafka refuses.
    """

    def __init__(self, bootstrap: str, topic: str, patience: float = _PATIENCE) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._patience = patience
        self._topics = Topics(bootstrap)
        self.compacted = self._topics.is_compacted(topic)

    def committed(self, spans: Sequence[Span]) -> Iterator[Hashed]:
        """Read the committed records of some spans, and perhaps others beside them."""
        return self._read(spans, "read_committed")

    def written(self, spans: Sequence[Span]) -> Iterator[Hashed]:
        """Read all records of some spans, those of aborted transactions too."""
        return self._read(spans, "read_uncommitted")

    def lows(self) -> Mapping[int, int]:
        """Give the first offset that Kafka keeps in each partition now."""
        return {partition: bounds.low for partition, bounds in self._topics.bounds(self._topic).items()}

    def _read(self, spans: Sequence[Span], isolation: str) -> Iterator[Hashed]:
        wanted = [span for span in spans if len(span)]
        if not wanted:
            return
        reading = _Reading(wanted)
        consumer = Consumer(
            {**_FETCH, "bootstrap.servers": self._bootstrap, "isolation.level": isolation, "error_cb": reading.failed}
        )
        try:
            consumer.assign([TopicPartition(self._topic, span.partition, span.start) for span in wanted])
            yield from self._batches(consumer, reading)
        finally:
            consumer.close()

    def _batches(self, consumer: Consumer, reading: "_Reading") -> Iterator[Hashed]:
        last = time.monotonic()
        while reading.ends:
            messages = consumer.consume(_BATCH, _GLANCE)
            records = [message for message in messages if message.error() is None]
            if records:
                last = time.monotonic()
                yield reading.taken(_hashed(records))
            reading.heard([message for message in messages if message.error() is not None])
            for partition in reading.finished():
                consumer.incremental_unassign([TopicPartition(self._topic, partition)])
            if time.monotonic() - last > self._patience:
                raise KafkaAway(self._bootstrap, f"read topic {self._topic!r}", reading.why)


class _Reading:
    """How far each partition has been read."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.ends = {span.partition: span.end for span in spans}
        self.why = "no record arrived"
        self._reached = np.zeros(max(self.ends) + 1, np.int64)

    def failed(self, error: KafkaError) -> None:
        """Note why nothing may arrive; librdkafka itself tries again."""
        self.why = error.str()

    def taken(self, batch: Hashed) -> Hashed:
        """Note what has arrived."""
        np.maximum.at(self._reached, batch.partitions, batch.offsets + 1)
        return batch

    def heard(self, events: Sequence[Message]) -> None:
        """Note where a partition ends: behind its last record there may be control records, which never arrive."""
        for event in events:
            error, partition, offset = event.error(), event.partition(), event.offset()
            if error is None or partition is None or offset is None:
                continue
            if error.code() == KafkaError._PARTITION_EOF:
                self._reached[partition] = max(self._reached[partition], offset)
            elif error.code() in _REFUSALS:
                raise TidemarkError(f"Kafka refused to read {event.topic()}/{partition}: {error.str()}")
            else:
                self.failed(error)

    def finished(self) -> list[int]:
        """Give the partitions whose end was reached since it was last asked."""
        done = [partition for partition, end in self.ends.items() if self._reached[partition] >= end]
        for partition in done:
            del self.ends[partition]
        return done


def _hashed(messages: list[Message]) -> Hashed:
    count = len(messages)
    partitions, offsets = (_integers(map(field, messages), count) for field in (Message.partition, Message.offset))
    times = _integers((milliseconds for _, milliseconds in map(Message.timestamp, messages)), count) * 1000
    keys, values = (pa.array(list(map(field, messages)), pa.binary()) for field in (Message.key, Message.value))
    headers = pa.array(headers_of(messages), HEADERS)
    hashes = row_hashes(Records(partitions, offsets, times, keys, values, headers))
    return Hashed(partitions, offsets, times, hashes)


def headers_of(messages: Sequence[Message]) -> list[Any]:
    """Give each record's headers; those with a name that isn't UTF-8 are given as UNREADABLE.

    On such a name the client gives a list with a hole and raises at once, and with the same list at the next call it
    does not raise: a message may be asked once only, and by something that looks for both, as `map` does.
    """
    found: list[Any] = []
    asked = map(Message.headers, messages)
    while len(found) < len(messages):
        try:
            found.extend(asked)
        except SystemError:
            found.append(UNREADABLE)
    return found


def _integers(numbers: Iterator[Any], count: int) -> Integers:
    return np.fromiter(numbers, np.int64, count)
