"""Topics: everything Tidemark asks of Kafka's admin API."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType

from tidemark.errors import TidemarkError

T = TypeVar("T")

_NO_CONFIG: Mapping[str, str] = MappingProxyType({})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAUSE = 0.05  # seconds between two looks at something that is about to happen

# librdkafka's own codes for "nobody answers"; a broker that answers with a refusal has others
_AWAY = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE}
# What a broker says for a moment after a topic was made or grown, or after it has itself come back
_SETTLING = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
}


class KafkaAway(TidemarkError):
    """No broker answers."""

    def __init__(self, bootstrap: str, tried: str, reason: str) -> None:
        super().__init__(
            f"Kafka does not answer at {bootstrap}; tried to {tried}: {reason}",
            "start it by `make stream-up`, or set TIDEMARK_KAFKA_BOOTSTRAP to where it is",
        )


class UnknownTopic(TidemarkError):
    """There is no such topic."""

    def __init__(self, bootstrap: str, name: str) -> None:
        super().__init__(
            f"topic {name!r}: there is none at {bootstrap}",
            "`make stream-up` creates the topic of every contract; is TIDEMARK_KAFKA_BOOTSTRAP the Kafka you mean?",
        )


@dataclass(frozen=True)
class Bounds:
    """The offsets of one partition: `low` is the first that Kafka keeps, the others are one past the last.

    Every transaction below `last_stable` is decided; `high` is the end of all that was written.
    """

    low: int
    last_stable: int
    high: int


class Topics:
    """The topics of one Kafka.

    Every method raises KafkaAway when no broker answers within `timeout` seconds, and UnknownTopic when it needs a
    topic that isn't there.
    """

    def __init__(self, bootstrap: str, timeout: float = 10.0) -> None:
        self._bootstrap = bootstrap
        self._timeout = timeout
        # log_level: that a broker is away is said by KafkaAway, once, not by librdkafka on stderr
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2, "reconnect.backoff.max.ms": 1000})

    def ensure(self, name: str, partitions: int, config: Mapping[str, str] = _NO_CONFIG) -> bool:
        """Create the topic unless it exists; tell whether this call created it. One that exists is left as it is."""
        # -1: as many replicas as the cluster's own default says
        topic = NewTopic(name, num_partitions=partitions, replication_factor=-1, config=dict(config))

        def create() -> bool:
            try:
                self._admin.create_topics([topic], **self._limits)[name].result()
            except KafkaException as error:
                if _code(error) != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
                return False
            return True

        tried = f"create topic {name!r}"
        created = self._answer(tried, name, create)
        self._wait_for(tried, lambda: self._led(name) >= (partitions if created else 1))
        return created

    def identity(self, name: str) -> str | None:
        """Give the topic's id as Kafka's own tools write it; None where there is no such topic."""
        try:
            # librdkafka writes plain base64, Kafka the alphabet that is safe in file names
            return str(self._description(name).topic_id).replace("+", "-").replace("/", "_")
        except UnknownTopic:
            return None

    def partitions(self, name: str) -> list[int]:
        """List the topic's partitions in order."""
        return sorted(partition.id for partition in self._description(name).partitions)

    def bounds(self, name: str) -> dict[int, Bounds]:
        """Give the offsets of every partition."""
        partitions = self.partitions(name)
        # In this order low <= last_stable <= high holds while records arrive
        low = self._offsets(name, partitions, OffsetSpec.earliest())
        stable = self._offsets(name, partitions, OffsetSpec.latest())
        high = self._offsets(name, partitions, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
        return {each: Bounds(low[each], stable[each], high[each]) for each in partitions}

    def offsets_at(self, name: str, when: datetime) -> dict[int, int]:
        """Find in every partition the first offset whose timestamp is `when` (with its time zone) or later.

        Where there is none, it is the last stable offset.
        """
        partitions = self.partitions(name)
        found = self._offsets(name, partitions, OffsetSpec.for_timestamp(_epoch_ms(when)))
        stable = self._offsets(name, partitions, OffsetSpec.latest())
        return {each: found[each] if found[each] >= 0 else stable[each] for each in partitions}

    def is_compacted(self, name: str) -> bool:
        """Tell whether Kafka removes the older records of a key from the topic."""
        return "compact" in self.config(name)["cleanup.policy"].split(",")

    def config(self, name: str) -> dict[str, str]:
        """Give the topic's settings, its own and those that the broker has for all."""
        topic = ConfigResource(ResourceType.TOPIC, name)

        def described() -> dict[str, str]:
            entries = self._admin.describe_configs([topic], request_timeout=self._timeout)[topic].result()
            return {key: str(entry.value) for key, entry in entries.items()}

        return self._answer(f"read the settings of topic {name!r}", name, described)

    def delete(self, name: str) -> None:
        """Delete the topic and wait until it is gone."""
        tried = f"delete topic {name!r}"
        self._answer(tried, name, lambda: self._admin.delete_topics([name], **self._limits)[name].result())
        self._wait_for(tried, lambda: self.identity(name) is None)

    def add_partitions(self, name: str, total: int) -> None:
        """Grow the topic to `total` partitions."""
        tried = f"grow topic {name!r} to {total} partitions"
        wanted = [NewPartitions(name, total)]
        self._answer(tried, name, lambda: self._admin.create_partitions(wanted, **self._limits)[name].result())
        self._wait_for(tried, lambda: self._led(name) >= total)

    @property
    def _limits(self) -> dict[str, float]:
        return {"request_timeout": self._timeout, "operation_timeout": self._timeout}

    def _description(self, name: str) -> Any:
        topics = TopicCollection([name])

        def described() -> Any:
            return self._admin.describe_topics(topics, request_timeout=self._timeout)[name].result()

        return self._answer(f"describe topic {name!r}", name, described)

    def _led(self, name: str) -> int:
        """Count the partitions that have a leader; 0 where the topic isn't visible yet."""
        try:
            return sum(each.leader is not None and each.leader.id >= 0 for each in self._description(name).partitions)
        except UnknownTopic:
            return 0

    def _offsets(
        self,
        name: str,
        partitions: Sequence[int],
        spec: OffsetSpec,
        isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
    ) -> dict[int, int]:
        asked = {TopicPartition(name, each): spec for each in partitions}

        def listed() -> dict[int, int]:
            answers = self._admin.list_offsets(asked, isolation_level=isolation, request_timeout=self._timeout)
            return {where.partition: int(answer.result().offset) for where, answer in answers.items()}

        return self._answer(f"read the offsets of topic {name!r}", name, listed)

    def _answer(self, tried: str, name: str, ask: Callable[[], T]) -> T:
        """Give Kafka's answer; ask again while it settles, turn its errors into ours."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return ask()
            except KafkaException as error:
                if _code(error) not in _SETTLING or time.monotonic() > deadline:
                    raise self._explained(error, tried, name) from None
                time.sleep(_PAUSE)

    def _explained(self, error: KafkaException, tried: str, name: str) -> TidemarkError:
        reason = error.args[0].str()
        if _code(error) in _AWAY:
            return KafkaAway(self._bootstrap, tried, reason)
        if _code(error) == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return UnknownTopic(self._bootstrap, name)
        return TidemarkError(f"Kafka at {self._bootstrap} refused to {tried}: {reason}")

    def _wait_for(self, tried: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._timeout
        while not done():
            if time.monotonic() > deadline:
                raise TidemarkError(f"Kafka agreed to {tried}, but has not done it within {self._timeout:g} s")
            time.sleep(_PAUSE)


def _code(error: KafkaException) -> int:
    return int(error.args[0].code())


def _epoch_ms(when: datetime) -> int:
    """Give the first whole millisecond at or after `when`.

    Raises:
        ValueError: `when` has no time zone.
    """
    if when.tzinfo is None:
        raise ValueError(f"{when}: a time needs its time zone")
    return -((_EPOCH - when) // timedelta(milliseconds=1))
