"""Poison: a record for which evaluating its micro-batch fails. docs/adr/0014-poison-is-found-by-halves.md"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from prometheus_client import Counter
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from streaming.failures import Failure, failure_of
from streaming.judging import Judging, write_judged
from streaming.sinks import evaluate
from streaming.sources import topic_ranges
from streaming.transforms.poisoned import Position, blanked, unjudged, without
from tidemark import bronze
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.ledger import Label, Ranges, count
from tidemark.poisoned import Poisoned, keep_poisoned
from tidemark.settings import Settings

log = logging.getLogger(__name__)

POISONED = Counter(
    "tidemark_stream_poisoned_offsets",
    "Offsets whose records could not be evaluated, and were quarantined unread.",
    ["stream"],
)

TIMES = 5  # that a micro-batch fails before it is searched
MOST = 100  # poisoned records of one micro-batch; where more fail, what they have in common is the contract

_F = TypeVar("_F")


class NotIsolated(TidemarkError):
    """A micro-batch fails, and not for a few of its records."""


class PoisonGuard:
    """Writes the micro-batches of one stream; of one that fails again and again, it finds the records it fails for."""

    def __init__(self, stream: str, contract: Contract, settings: Settings) -> None:
        self.found = 0  # since the process began
        self._stream, self._contract, self._settings = stream, contract, settings
        self._failed: Ranges = {}
        self._times = 0
        self._given_up: Ranges = {}  # of these offsets no few records are to blame
        POISONED.labels(stream)  # an alert on its growth needs the zero first

    def write(self, judging: Judging, records: DataFrame, label: Label, write: Callable[[DataFrame], None]) -> None:
        """Write the rows of a micro-batch, each record once: judged, or quarantined as poisoned.

        Raises:
            NotIsolated: it fails for its records, but not for a few of them.
        """
        try:
            write_judged(judging, records, write)
        except (PySparkException, Py4JJavaError) as error:
            if not self._is_due(records.sparkSession, label.ranges, error):
                raise
            log.warning("%s: batch %d failed %d times: looking for the record", self._stream, label.batch, self._times)
            found = self._searched(records.sparkSession, judging, label.ranges)
            if not found:
                raise
            self._keep(label, found)
            write(self._rows(records.sparkSession, judging, label, found))
            self._failed, self._times = {}, 0

    def _is_due(self, spark: SparkSession, ranges: Ranges, error: Exception) -> bool:
        """Count a failure, if its kind is one that a record can have; tell whether that was often enough."""
        if ranges == self._given_up or failure_of(spark, error) is None:
            return False
        self._times = self._times + 1 if ranges == self._failed else 1
        self._failed = ranges
        return self._times >= TIMES

    def _searched(self, spark: SparkSession, judging: Judging, ranges: Ranges) -> dict[Position, Failure]:
        try:
            return Trial(spark, judging, self._contract, self._settings).poisoned(ranges)
        except NotIsolated:
            self._given_up = ranges  # a second search would find the same, and cost as much
            raise

    def _rows(
        self, spark: SparkSession, judging: Judging, label: Label, found: Mapping[Position, Failure]
    ) -> DataFrame:
        now = datetime.now(UTC)
        records = topic_ranges(spark, self._settings, self._contract.topic, label.ranges)
        good = judging.rows(judging.prepared(without(records, found)), now)
        reasons = {position: f"{bronze.POISONED}:{failure.name}" for position, failure in found.items()}
        return good.unionByName(unjudged(records, self._contract, reasons, now))

    def _keep(self, label: Label, found: Mapping[Position, Failure]) -> None:
        """Say where a person finds it: before the rows are written, so that no trace is lost."""
        at = datetime.now(UTC)
        self.found += len(found)
        POISONED.labels(self._stream).inc(len(found))
        for (partition, offset), failure in found.items():
            position = f"{label.topic}/{partition}@{offset}"
            log.error("%s: quarantines %s, which can't be read: %s", self._stream, position, failure.trace)
        about = (self._contract.id, self._stream, label.topic, label.topic_id)
        own = [Poisoned(*about, *where, at, each.kind, each.message, each.trace) for where, each in found.items()]
        keep_poisoned(self._settings, own)


class Trial:
    """Evaluates parts of a micro-batch, and writes nothing: no disk, no table and no other writer can fail it."""

    def __init__(self, spark: SparkSession, judging: Judging, contract: Contract, settings: Settings) -> None:
        self._spark, self._judging, self._topic, self._settings = spark, judging, contract.topic, settings

    def poisoned(self, ranges: Ranges) -> dict[Position, Failure]:
        """Find the records for which a micro-batch fails; none: it does not fail any more.

        Raises:
            NotIsolated: there are too many, or one of them fails for something else than what is in it.
            PySparkException, Py4JJavaError: Kafka is away, or something else is that no record is to blame for.
        """
        found = failing(ranges, self._failure)
        for (partition, offset), failure in found.items():
            one = {partition: (offset, offset + 1)}
            again = self._failure(one)
            if self._failure(one, without_content=True) or again is None or again.kind != failure.kind:
                what = f"{self._topic}/{partition}@{offset}: evaluating it fails, but not for what is in it: "
                raise NotIsolated(what + failure.message, "`tidemark logs streams` has the whole trace")
        return found

    def _failure(self, ranges: Ranges, *, without_content: bool = False) -> Failure | None:
        records = topic_ranges(self._spark, self._settings, self._topic, ranges)
        records = blanked(records) if without_content else records
        try:
            write_judged(self._judging, self._judging.prepared(records), evaluate)
        except (PySparkException, Py4JJavaError) as error:
            failure = failure_of(self._spark, error)
            if failure is None:
                raise
            return failure
        return None


def failing(ranges: Ranges, failure: Callable[[Ranges], _F | None], most: int = MOST) -> dict[Position, _F]:
    """Find the offsets that fail by themselves: of what fails, each half is tried.

    Raises:
        NotIsolated: more than `most` do.
    """
    found: dict[Position, _F] = {}
    untried = [ranges]
    while untried:
        part = untried.pop()
        trouble = failure(part) if count(part) else None
        if trouble is None:
            continue
        if count(part) > 1:
            first, second = halves(part)
            untried += [second, first]
            continue
        ((partition, (offset, _)),) = [each for each in part.items() if each[1][0] < each[1][1]]
        found[partition, offset] = trouble
        if len(found) > most:
            what = f"more than {most} records of a micro-batch can't be evaluated: {trouble}"
            raise NotIsolated(what[:1000], "what they have in common is the contract: mend that")
    return found


def halves(ranges: Ranges) -> tuple[Ranges, Ranges]:
    """Divide ranges of two offsets or more into two of as many, in the order of partitions and offsets."""
    left = count(ranges) // 2
    first: dict[int, tuple[int, int]] = {}
    second: dict[int, tuple[int, int]] = {}
    for partition, (start, end) in sorted(ranges.items()):
        middle = min(end, start + left)
        left -= middle - start
        if start < middle:
            first[partition] = (start, middle)
        if middle < end:
            second[partition] = (middle, end)
    return first, second
