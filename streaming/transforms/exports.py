"""An export's rows beside bronze's: judged by the contract, and compared by the contract's key."""

from datetime import UTC, date, datetime, time, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from streaming.transforms.bronze import judge_of, with_envelope
from streaming.transforms.json_records import JsonRecords
from streaming.transforms.judgement import AT, DAY, LATEST
from tidemark import bronze
from tidemark.contracts import Contract

KIND = "kind"
MISSING, EXTRA, DIFFERENT, EQUAL = "missing", "extra", "different", "equal"
WANTED, FOUND = "wanted", "found"  # the contract's columns as JSON, of the export and of bronze


def exported_rows(records: DataFrame, contract: Contract, now: datetime, future_limit_minutes: int) -> DataFrame:
    """Turn an export's records into bronze rows: whatever the topic's format is, they are JSON."""
    latest = now + timedelta(minutes=future_limit_minutes)
    moment = {AT: F.lit(now), DAY: F.lit(now.date()), LATEST: F.lit(latest)}
    named = with_envelope(records).withColumn(bronze.SCHEMA_ID, F.lit(None).cast("int"))
    return judge_of(contract, JsonRecords())(JsonRecords().decoded(named, contract), moment)


def checked_as_a_whole(rows: DataFrame, contract: Contract, day: date | None) -> DataFrame:
    """Add the reasons that only the whole export can tell: rows of another day, and keys whose rows contradict.

    Rows that say the same twice are one: the first stays.

    Args:
        day: what it is filed under; None: an archive, of many days.
    """
    good = F.size(bronze.ERRORS) == 0
    keyed = (
        rows.where(good)
        .groupBy(*contract.key)
        .agg(
            F.count_distinct(content_of(contract)).alias("__contents"),
            F.min(F.struct(bronze.TOPIC, bronze.OFFSET)).alias("__first"),
        )
    )
    joined = rows.join(keyed, list(contract.key), "left")
    here = F.struct(bronze.TOPIC, bronze.OFFSET)
    is_misfiled = F.lit(False) if day is None else ~is_of(contract, day)
    kept = joined.where(~good | (F.col("__contents") > 1) | (here == F.col("__first")))
    reasons = F.array_compact(
        F.array(
            F.when(F.col("__contents") > 1, F.lit(f"{bronze.DUPLICATE}:{contract.key[0]}")),
            F.when(good & is_misfiled, F.lit(f"{bronze.OTHER_DAY}:{contract.event_time}")),
        )
    )
    refused = good & (F.size(reasons) > 0)
    own = {column.name: F.when(~refused, F.col(column.name)) for column in contract.columns}
    found = {bronze.ERRORS: F.when(refused, reasons).otherwise(F.col(bronze.ERRORS)), **own}
    return kept.select(*[found.get(name, F.col(name)).alias(name) for name in rows.columns])


def compared(exported: DataFrame, there: DataFrame, contract: Contract) -> DataFrame:
    """Compare good rows by the contract's key: each key's KIND, what was WANTED and what was FOUND.

    A key is equal where any row of bronze says what the export says: what was repaired once stays repaired.

    Args:
        there: bronze's good rows of the same day.
    """
    wanted = exported.select(*contract.key, content_of(contract).alias(WANTED))
    known = there.groupBy(*contract.key).agg(
        F.max_by(content_of(contract), newness(contract)).alias(FOUND),
        F.collect_set(content_of(contract)).alias("__all"),
    )
    both = wanted.join(known, list(contract.key), "full_outer")
    kind = (
        F.when(F.col(FOUND).isNull(), MISSING)
        .when(F.col(WANTED).isNull(), EXTRA)
        .when(F.array_contains("__all", F.col(WANTED)), EQUAL)
        .otherwise(DIFFERENT)
    )
    return both.select(*contract.key, kind.alias(KIND), WANTED, FOUND)


def newness(contract: Contract) -> Column:
    """Order the rows of a key as silver does: by event time, Kafka's before an export's, then by position."""
    position = (bronze.KAFKA_TIME, bronze.PARTITION, bronze.OFFSET)
    return F.struct(F.col(contract.event_time), ~is_exported(), *position)


def is_exported() -> Column:
    """Tell whether a bronze row came from an export's file; whatever the topic's format is, its value is JSON."""
    return F.col(bronze.TOPIC).startswith(bronze.EXPORT)


def is_of(contract: Contract, day: date) -> Column:
    """Tell whether a row's event time is of a day."""
    start = datetime.combine(day, time(), UTC)
    end = start + timedelta(days=1)
    return (F.col(contract.event_time) >= F.lit(start)) & (F.col(contract.event_time) < F.lit(end))


def content_of(contract: Contract) -> Column:
    """Give a row's own columns as JSON, exactly: times in microseconds, nulls kept."""
    columns = []
    for column in contract.columns:
        value = F.col(column.name)
        exact = F.unix_micros(value) if column.logical_type == "timestamp" else value
        columns.append(exact.alias(column.name))
    return F.to_json(F.struct(*columns), {"ignoreNullFields": "false"})
