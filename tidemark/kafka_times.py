"""When a record was written: Kafka's timestamp of the first one at or after an offset."""

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, TopicPartition

_PATIENCE = 2.0  # seconds
_CONFIG = {
    "group.id": "tidemark-metrics",  # librdkafka wants one; nothing is committed to it
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",  # where retention has overtaken us, the first that is left
    "isolation.level": "read_uncommitted",
    "fetch.message.max.bytes": 64 * 1024,  # of one record the time is wanted, and no more
    "queued.max.messages.kbytes": 1024,
    "log_level": 0,  # that a broker is away is said by others
}


class RecordTimes:
    """The times of records; each is asked for once, while nothing else was asked of its partition."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._known: dict[tuple[str, int], tuple[int, float]] = {}

    def at(self, topic: str, partition: int, offset: int) -> float | None:
        """Give the time in seconds since the epoch; None: there is no record, or no broker answers."""
        known = self._known.get((topic, partition))
        if known and known[0] == offset:
            return known[1]
        found = self._read(topic, partition, offset)
        if found is not None:
            self._known[topic, partition] = offset, found
        return found

    def _read(self, topic: str, partition: int, offset: int) -> float | None:
        consumer = Consumer({**_CONFIG, "bootstrap.servers": self._bootstrap})
        try:
            consumer.assign([TopicPartition(topic, partition, offset)])
            message = consumer.poll(_PATIENCE)
        finally:
            consumer.close()
        if message is None or message.error() is not None:
            return None
        kind, milliseconds = message.timestamp()
        return None if kind == TIMESTAMP_NOT_AVAILABLE else float(milliseconds) / 1000
