"""Bronze rows judged again, by the contract of today."""

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from streaming.transforms.bronze import judge_of
from streaming.transforms.decoding import Decoder
from streaming.transforms.judgement import AT, DAY, LATEST
from tidemark import bronze
from tidemark.contracts import Contract

REASONS_BEFORE = "__reasons_before"

_RECORD = {
    "topic": bronze.TOPIC,
    "partition": bronze.PARTITION,
    "offset": bronze.OFFSET,
    "timestamp": bronze.KAFKA_TIME,
    "key": bronze.KEY,
    "value": bronze.VALUE,
    "headers": bronze.HEADERS,
}


def held_back(rows: DataFrame, reason: str = "") -> DataFrame:
    """Keep the rows that are quarantined for a reason that begins so, and that the contract may release.

    Poisoned ones only where they are named: the contract must have been mended for them, or all of it fails.
    """
    named = rows.where((F.size(bronze.ERRORS) > 0) & F.exists(bronze.ERRORS, lambda each: each.startswith(reason)))
    poisoned = () if reason.startswith(bronze.POISONED) else (bronze.POISONED,)
    kinds = [F.lit(kind) for kind in (*bronze.OF_EXPORT, *poisoned)]
    return named.where(~F.exists(bronze.ERRORS, lambda each: F.substring_index(each, ":", 1).isin(*kinds)))


def as_records(rows: DataFrame) -> DataFrame:
    """Give bronze rows the shape of Kafka records."""
    return rows.select(*[F.col(theirs).alias(name) for name, theirs in _RECORD.items()])


def rejudged(
    rows: DataFrame, contract: Contract, decoder: Decoder, now: datetime, future_limit_minutes: int
) -> DataFrame:
    """Decode and judge bronze rows again.

    What a record could know is what counts: its event time is held against the time when it landed, not against now.

    Args:
        rows: of a bronze table, with the envelope's columns.

    Returns:
        The rows as they would be, with REASONS_BEFORE; where and when they landed stays.
    """
    was = rows.select(
        *_RECORD.values(),
        F.col(bronze.INGESTED_AT).alias(AT),
        F.col(bronze.INGEST_DATE).alias(DAY),
        F.col(bronze.ERRORS).alias(REASONS_BEFORE),
        F.col(bronze.SCHEMA_ID),
    )
    latest = F.col(AT) + F.expr(f"INTERVAL {int(future_limit_minutes)} MINUTES")
    judge = judge_of(contract, decoder, keep=(REASONS_BEFORE,))
    judged = judge(decoder.decoded(was, contract), {LATEST: latest})
    return judged.withColumn(bronze.JUDGED_AT, F.lit(now))


def is_judged_otherwise() -> Column:
    """Tell whether a row is judged otherwise than it was."""
    return F.sort_array(bronze.ERRORS) != F.sort_array(REASONS_BEFORE)
