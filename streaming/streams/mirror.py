"""mirror_<contract>: the good records of a topic in `<topic>.clean`, the bad ones, with why, in `<topic>.dlq`.

At least once: what a failure interrupts is sent again, and without its checkpoint the mirror begins anew. A record
keeps its partition, so that the order of each stays; its time is that of the copy.
"""

import logging
from collections.abc import Collection
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from streaming.checkpoint import Checkpoint
from streaming.fence import fence
from streaming.judging import Judging, judging_of
from streaming.poison import PoisonGuard
from streaming.rules import RuleBreach
from streaming.sinks import copy
from streaming.sources import from_the_beginning, topic_stream
from streaming.transforms.mirror import mirrored
from streaming.turns import in_turn
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.ledger import Label
from tidemark.locks import driver_lock
from tidemark.settings import Settings
from tidemark.topics import Topics, UnknownTopic

log = logging.getLogger(__name__)

_AS_THE_TOPIC = ("cleanup.policy", "retention.ms", "max.message.bytes")
_HEADER_BYTES = 64 * 1024  # by which a bad record may be larger than it was


class MirrorStream:
    """The always-on query that mirrors the topic of one contract."""

    def __init__(self, contract: Contract, settings: Settings, inputs: Collection[str]) -> None:
        """Take a contract, and every topic that is read, none of which may be written."""
        self.name = f"mirror_{contract.id}"
        self.breach: RuleBreach | None = None
        self.warning = ""
        self.trigger_seconds = settings.batch_interval_ms / 1000
        self._contract = contract
        self._settings = settings
        self._inputs = inputs
        self._topics = Topics(settings.bootstrap)
        self._checkpoint = Checkpoint(settings.checkpoint(self.name), contract.topic)
        self._poison = PoisonGuard(self.name, contract, settings)

    def start(self, spark: SparkSession) -> StreamingQuery:
        """Create what is missing (topics, partitions), then start the query.

        Raises:
            RuleBreach: it would write to a topic that is read.
            LockHeld: a driver of an earlier instance still lives.
        """
        contract = self._contract
        self._refuse_inputs()
        fence(spark, driver_lock(self._settings.locks, self.name), f"the topics {', '.join(self._sinks)}")
        self._topics.ensure(contract.topic, self._settings.topic_partitions)
        self._create_sinks()
        start = from_the_beginning(contract.topic, self._topics.partitions(contract.topic), {})
        records = topic_stream(spark, self._settings, contract.topic, {"startingOffsets": start})
        judging = judging_of(contract, self._settings)
        writer = (
            judging.prepared(records)
            .writeStream.queryName(self.name)
            .foreachBatch(in_turn(partial(self._write, judging)))
        )
        writer = writer.trigger(processingTime=f"{self.trigger_seconds:g} seconds")
        return writer.option("checkpointLocation", str(self._checkpoint.path)).start()

    def failed(self, spark: SparkSession, error: Exception) -> bool:
        """Say what the query may have failed for: Spark says it below all of its own traces.

        Raises:
            TidemarkError: a topic is gone or has too few partitions.
        """
        self._check_sinks()
        return False

    @property
    def _sinks(self) -> tuple[str, str]:
        return self._contract.clean_topic, self._contract.dlq_topic

    def _refuse_inputs(self) -> None:
        read = sorted({self._contract.topic, *self._inputs}.intersection(self._sinks))
        if read:
            what = f"{self.name}: would write to {', '.join(read)}, which is read: its records would go round for ever"
            raise RuleBreach(what, "give the contract of one of the two another topic, or no mirror")

    def _create_sinks(self) -> None:
        wanted = len(self._topics.partitions(self._contract.topic))
        config = self._topics.config(self._contract.topic)
        config = {key: config[key] for key in _AS_THE_TOPIC}
        config["max.message.bytes"] = str(int(config["max.message.bytes"]) + _HEADER_BYTES)
        self._topics.ensure(self._contract.clean_topic, wanted, config)
        # Of the bad records none replaces another.
        self._topics.ensure(self._contract.dlq_topic, wanted, config | {"cleanup.policy": "delete"})
        for sink in self._sinks:
            if self._count(sink) < wanted:
                self._topics.add_partitions(sink, wanted)

    def _write(self, judging: Judging, records: DataFrame, batch: int) -> None:
        self._check_sinks()
        self._poison.write(judging, records, self._label(batch), self._copy)
        log.info("%s: batch %d", self.name, batch)

    def _label(self, batch: int) -> Label:
        topic, ranges = self._contract.topic, self._checkpoint.ranges(batch)
        identity = self._topics.identity(topic) or "gone"
        own = (self._checkpoint.id(), topic, identity, ranges, self._contract.version)
        return Label("ingest", self.name, batch, *own)

    def _copy(self, rows: DataFrame) -> None:
        copy(mirrored(rows, self._contract, self.name), self._settings)

    def _check_sinks(self) -> None:
        """Refuse a micro-batch that has nowhere to go: Kafka's client would look for the topic for a minute.

        Raises:
            TidemarkError: a topic is gone or has too few partitions.
        """
        wanted = self._count(self._contract.topic)
        for sink in self._sinks:
            found = self._count(sink)
            if found < wanted:
                problem = f"has {found} partitions, and {wanted} are needed" if found else "is gone"
                fix = "nothing to do: the stream starts again, and creates what is missing"
                raise TidemarkError(f"topic {sink!r} {problem}", fix)

    def _count(self, topic: str) -> int:
        """Count a topic's partitions; 0: there is no such topic."""
        try:
            return len(self._topics.partitions(topic))
        except UnknownTopic:
            return 0
