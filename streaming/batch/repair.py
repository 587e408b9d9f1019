"""Repairs of a bronze table: append what is missing, remove what is too much; each is one labelled commit or a few."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from types import TracebackType
from typing import Self

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from streaming.batch.fenced import FencedTable
from streaming.session import batch_session
from streaming.sources import topic_ranges
from streaming.transforms.bronze import bronze_rows
from streaming.writer_lookup import decoder_for
from tidemark import bronze
from tidemark.compare import Kind
from tidemark.contracts import Contract
from tidemark.findings import Finding
from tidemark.leases import Lease
from tidemark.ledger import Kind as LabelKind
from tidemark.ledger import Label
from tidemark.names import literal, quoted
from tidemark.settings import Settings

_RANGES_A_COMMIT = 500
_KAFKA = ("timestamp", "key", "value", "headers")


class Repair:
    """A Spark session that repairs one table; opened only when there is something to do."""

    def __init__(self, settings: Settings, contract: Contract, topic_id: str, lease: Lease) -> None:
        self._settings = settings
        self._contract = contract
        self._topic_id = topic_id
        self._table = FencedTable(settings, contract, lease)
        self._run = str(uuid.uuid4())
        self._commits = 0
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._spark = self._held.enter_context(batch_session(self._settings))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._held.close()

    def append(self, missing: Sequence[Finding]) -> None:
        """Append the rows of missing positions, read again from Kafka and judged as the stream does."""
        records = self._records(missing)
        decoder = decoder_for(records, self._contract, self._settings)
        rows = bronze_rows(records, self._contract, decoder, F.current_timestamp(), self._settings.future_limit_minutes)
        self._table.append(rows, self._label("repair", missing))

    def remove(self, extra: Sequence[Finding]) -> None:
        """Remove the rows of bad positions, all but one row of each that equals Kafka's record."""
        for part in batched_findings(extra, _RANGES_A_COMMIT):
            bad = self._spark.read.format("delta").load(self._table.path).where(_any_of(part, self._contract.topic))
            days = sorted(row[0] for row in bad.select(bronze.INGEST_DATE).distinct().collect())
            if not days:
                continue
            self._replace(bad, part, days)

    def _replace(self, bad: DataFrame, part: Sequence[Finding], days: Sequence[date]) -> None:
        doubled = [finding for finding in part if finding.kind == Kind.TWICE]
        kept = self._one_of_each(bad, doubled) if doubled else bad.limit(0)
        named = ", ".join(f"DATE'{day.isoformat()}'" for day in days)
        where = f"{quoted(bronze.INGEST_DATE)} IN ({named}) AND ({_any_of(part, self._contract.topic)})"
        self._table.replace(kept, where, days, self._label("rewrite", part))

    def _one_of_each(self, bad: DataFrame, doubled: Sequence[Finding]) -> DataFrame:
        """Keep one row of each doubled position: one that equals Kafka's record, if Kafka still has it."""
        records = self._records(doubled).select(
            F.col("partition").alias("__partition"), F.col("offset").alias("__offset"), *_KAFKA
        )
        same_position = (F.col(bronze.PARTITION) == F.col("__partition")) & (F.col(bronze.OFFSET) == F.col("__offset"))
        rows = bad.where(_any_of(doubled, self._contract.topic)).join(records, same_position, "left")
        true = rows.where(F.col("__offset").isNull() | _equals_kafka())
        oldest_first = Window.partitionBy(*bronze.POSITION).orderBy(bronze.INGESTED_AT)
        ranked = true.withColumn("__rank", F.row_number().over(oldest_first)).where("__rank = 1")
        return ranked.select(*bad.columns)

    def _records(self, findings: Sequence[Finding]) -> DataFrame:
        """Read the records of some positions from Kafka, and no others."""
        ranges = hulls(findings)
        wanted = self._spark.createDataFrame(
            [(finding.partition, finding.start, finding.end) for finding in findings],
            "__p int, __start bigint, __end bigint",
        )
        records = topic_ranges(self._spark, self._settings, self._contract.topic, ranges)
        inside = (
            (F.col("partition") == F.col("__p"))
            & (F.col("offset") >= F.col("__start"))
            & (F.col("offset") < F.col("__end"))
        )
        return records.join(F.broadcast(wanted), inside, "left_semi")

    def _label(self, kind: LabelKind, findings: Iterable[Finding]) -> Label:
        ranges = hulls(findings)
        self._commits += 1
        own = (self._contract.topic, self._topic_id, ranges, self._contract.version)
        return Label(kind, "reconcile", self._commits, self._run, *own)


def hulls(findings: Iterable[Finding]) -> dict[int, tuple[int, int]]:
    """Give for each partition the one range that holds all its findings."""
    ranges: dict[int, tuple[int, int]] = {}
    for finding in findings:
        start, end = ranges.get(finding.partition, (finding.start, finding.end))
        ranges[finding.partition] = (min(start, finding.start), max(end, finding.end))
    return ranges


def batched_findings(findings: Sequence[Finding], size: int) -> Iterator[Sequence[Finding]]:
    """Cut findings into parts that one statement can name."""
    return (findings[start : start + size] for start in range(0, len(findings), size))


def _any_of(findings: Iterable[Finding], topic: str) -> str:
    """Give the SQL predicate that matches the rows of some findings."""
    return " OR ".join(_matches(each, topic if each.topic is None else each.topic) for each in findings)


def _matches(finding: Finding, topic: str) -> str:
    """Match a finding's rows; -1 and the empty topic stand for null."""
    of_topic, of_partition, offset = (quoted(name) for name in bronze.POSITION)
    parts = [
        f"{of_topic} = {literal(topic)}" if topic else f"{of_topic} IS NULL",
        f"{of_partition} = {finding.partition}" if finding.partition >= 0 else f"{of_partition} IS NULL",
        f"coalesce({offset}, -1) >= {finding.start} AND coalesce({offset}, -1) < {finding.end}",
    ]
    return f"({' AND '.join(parts)})"


def _equals_kafka() -> Column:
    no_headers = F.array().cast("array<struct<key:string,value:binary>>")
    return (
        F.col(bronze.VALUE).eqNullSafe(F.col("value"))
        & F.col(bronze.KEY).eqNullSafe(F.col("key"))
        & F.col(bronze.KAFKA_TIME).eqNullSafe(F.col("timestamp"))
        & (F.coalesce(F.col(bronze.HEADERS), no_headers) == F.coalesce(F.col("headers"), no_headers))
    )
