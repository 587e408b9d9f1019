"""Kafka records become bronze rows, good and quarantined alike: decoded, judged, none left out."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from streaming.transforms.json_records import decoded
from streaming.transforms.judgement import AT, DAY, LATEST, judged, reasons
from tidemark import bronze
from tidemark.contracts import Contract

Moment = Mapping[str, Column]
Judge = Callable[[DataFrame, Moment], DataFrame]


def bronze_rows(records: DataFrame, contract: Contract, at: Column, future_limit_minutes: int) -> DataFrame:
    """Turn Kafka records into bronze rows.

    Args:
        records: the Kafka source's columns, with headers.
        at: when they land; event times further ahead of it than the limit are quarantined.
    """
    latest = at + F.expr(f"INTERVAL {int(future_limit_minutes)} MINUTES")
    moment = {AT: at, DAY: at.cast("date"), LATEST: latest}
    return judge_of(contract)(decoded_records(records, contract), moment)


def decoded_records(records: DataFrame, contract: Contract) -> DataFrame:
    """Decode Kafka records, as far as that needs no clock."""
    return records.transform(with_envelope).transform(decoded, contract)


def judge_of(contract: Contract) -> Judge:
    """Give the function that turns decoded records into bronze rows, for the columns of a moment: AT, DAY and LATEST.

    It makes its expressions once: that takes longer than many a micro-batch.
    """
    found, columns = reasons(contract), judged(contract)

    def judge(records: DataFrame, moment: Moment) -> DataFrame:
        return records.withColumns(dict(moment)).withColumn(bronze.ERRORS, found).select(*columns)

    return judge


def with_envelope(records: DataFrame) -> DataFrame:
    """Name the record's own fields as bronze has them."""
    return records.select(
        F.col("topic").alias(bronze.TOPIC),
        F.col("partition").alias(bronze.PARTITION),
        F.col("offset").alias(bronze.OFFSET),
        F.col("timestamp").alias(bronze.KAFKA_TIME),
        F.col("key").alias(bronze.KEY),
        F.col("value").alias(bronze.VALUE),
        F.col("headers").alias(bronze.HEADERS),
    )


def moment_of(now: datetime, topic: str, future_limit_minutes: int) -> Moment:
    """Give a topic's moment such that its times do not stand in the generated code: each micro-batch would compile.

    A map is passed to the code by reference, and is looked up as cheaply as a column is. The day is a constant.
    """

    def looked_up(time: datetime) -> Column:
        return F.create_map(F.lit(topic), F.lit(time))[F.col(bronze.TOPIC)]

    latest = now + timedelta(minutes=future_limit_minutes)
    return {AT: looked_up(now), DAY: F.lit(now.astimezone(UTC).date()), LATEST: looked_up(latest)}
