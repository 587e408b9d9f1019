"""Bronze: every record of a topic, good or bad, in one table and one commit, each offset once."""

import logging
from collections.abc import Mapping
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from streaming import metrics, rules
from streaming.checkpoint import Checkpoint
from streaming.fence import fence
from streaming.judging import Judging, judging_of
from streaming.landings import count_landed
from streaming.poison import PoisonGuard
from streaming.schema import bronze_schema
from streaming.sinks import append, create_table
from streaming.sources import from_the_beginning, topic_stream
from streaming.turns import in_turn
from tidemark import bronze
from tidemark.contracts import Contract
from tidemark.ledger import Label, Ledger, count, ends
from tidemark.locks import driver_lock, exclusive, write_lock
from tidemark.ops_tables import POISONED_OFFSETS
from tidemark.settings import Settings
from tidemark.topics import Topics

log = logging.getLogger(__name__)

_SMALL_BATCH = 50_000  # offsets; below this one file is quicker to write and to read than several
_REWRITE_LIMIT_SECONDS = 120.0  # how long a batch waits for a job that rewrites today's rows


class BronzeStream:
    """The always-on query of one contract."""

    def __init__(self, contract: Contract, settings: Settings) -> None:
        self.name = contract.bronze_query
        self.breach: rules.RuleBreach | None = None
        self.poison = PoisonGuard(self.name, contract, settings)
        self._contract = contract
        self._settings = settings
        self._topics = Topics(settings.bootstrap)
        self._table = settings.table("bronze", contract.id)
        self._checkpoint = Checkpoint(settings.checkpoint(self.name), contract.topic)
        self._ledger = Ledger(self._table)
        self._tail = rules.LedgerTail(self._ledger)
        self.trigger_seconds = settings.batch_interval_ms / 1000
        metrics.begin_contract(contract.id)

    @property
    def warning(self) -> str:
        """Say that records were quarantined unread; empty: none was, since the process began."""
        found = self.poison.found
        return f"{found:,} records can't be evaluated: ops.{POISONED_OFFSETS} says why" if found else ""

    def start(self, spark: SparkSession) -> StreamingQuery:
        """Create what is missing (topic, table), then start the query where the ledger ends.

        Raises:
            RuleBreach: the topic is not the one that the table holds.
            LockHeld: a driver of an earlier instance still lives.
        """
        fence(spark, driver_lock(self._settings.locks, self.name), self._table)
        self._topics.ensure(self._contract.topic, self._settings.topic_partitions)
        create_bronze(spark, self._table, self._contract)
        newest = self._tail.newest()
        rules.is_the_same_topic(self._label(-1, "", {}), newest)
        known = ends(newest.ranges) if newest else {}
        if self._checkpoint.exists() and not continues(self._checkpoint, newest):
            log.warning(
                "%s: moved a checkpoint that does not continue the ledger to %s", self.name, self._checkpoint.archive()
            )
        start = from_the_beginning(self._contract.topic, self._topics.partitions(self._contract.topic), known)
        records = topic_stream(spark, self._settings, self._contract.topic, {"startingOffsets": start})
        judging = judging_of(self._contract, self._settings)
        write = partial(self._write, judging)
        writer = judging.prepared(records).writeStream.queryName(self.name).foreachBatch(in_turn(write))
        writer = writer.trigger(processingTime=f"{self.trigger_seconds:g} seconds")
        return writer.option("checkpointLocation", str(self._checkpoint.path)).start()

    def failed(self, spark: SparkSession, error: Exception) -> bool:
        """There is nothing to learn: a micro-batch that fails for its schemas is tried again at once."""
        return False

    def _write(self, judging: Judging, records: DataFrame, batch: int) -> None:
        label = self._label(batch, self._checkpoint.id(), self._checkpoint.ranges(batch))
        lock = write_lock(self._settings.locks, self._contract.id)
        with exclusive(lock, f"the write lock of {self._table}", _REWRITE_LIMIT_SECONDS):
            try:
                self.poison.write(judging, records, label, partial(self._commit, label))
            except rules.RuleBreach as breach:
                self.breach = breach
                raise

    def _commit(self, label: Label, rows: DataFrame) -> None:
        newest = self._tail.newest()
        if rules.is_committed(label, newest):
            log.info("%s: batch %d is in the table already", self.name, label.batch)
            return
        rules.starts_at_the_end(label, newest)
        rules.is_the_same_topic(label, newest)
        offsets = count(label.ranges)
        append(rows.coalesce(1) if offsets <= _SMALL_BATCH else rows, self._table, label)
        rules.is_confirmed(label, self._tail.newest())
        if self._tail.commit:
            count_landed(self._contract.id, self._ledger, self._tail.commit)
        log.info("%s: batch %d, %d offsets", self.name, label.batch, offsets)

    def _label(self, batch: int, checkpoint: str, ranges: Mapping[int, tuple[int, int]]) -> Label:
        topic = self._contract.topic
        identity = self._topics.identity(topic) or "gone"
        return Label("ingest", self.name, batch, checkpoint, topic, identity, ranges, self._contract.version)


def continues(checkpoint: Checkpoint, newest: Label | None) -> bool:
    """Tell whether a checkpoint goes on where the ledger ends; an old copy, or another table's, does not.

    Its last planned batch is either the ledger's newest entry or the one that comes next.
    """
    last = checkpoint.last_batch()
    if last < 0:
        return newest is None
    planned = checkpoint.ranges(last)
    if newest is None:
        return last == 0
    if newest.checkpoint == checkpoint.id() and newest.batch == last:
        return newest.ranges == planned
    known = ends(newest.ranges)
    return all(start == known.get(partition, start) for partition, (start, _) in planned.items())


def create_bronze(spark: SparkSession, path: str, contract: Contract) -> None:
    """Create a contract's bronze table where there is none; add the columns that the contract gained."""
    looked_up = (bronze.PARTITION, bronze.OFFSET, bronze.KAFKA_TIME, contract.event_time, *contract.key)
    create_table(
        spark,
        path,
        bronze_schema(contract),
        partitioned_by=(bronze.INGEST_DATE,),
        statistics_on=tuple(dict.fromkeys(looked_up)),
        comment=contract.description,
    )
