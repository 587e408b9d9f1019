"""Kafka records become bronze rows, good and quarantined alike: decoded, judged, none left out."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from streaming.transforms.avro_records import AvroRecords
from streaming.transforms.debezium_records import DebeziumRecords
from streaming.transforms.decoding import Decoder
from streaming.transforms.json_records import JsonRecords
from streaming.transforms.judgement import AT, DAY, LATEST, judged, reasons
from tidemark import bronze
from tidemark.contracts import Contract

Moment = Mapping[str, Column]
Judge = Callable[[DataFrame, Moment], DataFrame]


def bronze_rows(
    records: DataFrame, contract: Contract, decoder: Decoder, at: Column, future_limit_minutes: int
) -> DataFrame:
    """Turn Kafka records into bronze rows.

    Args:
        records: the Kafka source's columns, with headers.
        at: when they land; event times further ahead of it than the limit are quarantined.
    """
    latest = at + F.expr(f"INTERVAL {int(future_limit_minutes)} MINUTES")
    moment = {AT: at, DAY: at.cast("date"), LATEST: latest}
    decoded = decoder.decoded(with_envelope(records), contract)
    return judge_of(contract, decoder)(decoded, moment)


def decoder_of(contract: Contract, writers: AvroRecords | None = None) -> Decoder:
    """Give the decoder of a contract's format.

    Args:
        writers: what is known of the schemas that records are written with; none: Avro records fail as unresolved.
    """
    if contract.format == "avro":
        return writers or AvroRecords({})
    return JsonRecords() if contract.format == "json" else DebeziumRecords()


def judge_of(contract: Contract, decoder: Decoder, keep: Sequence[str] = ()) -> Judge:
    """Give the function that turns decoded records into bronze rows, for the columns of a moment: AT, DAY and LATEST.

    It makes its expressions once: that takes longer than many a micro-batch.

    Args:
        keep: columns of the records that the rows have too.
    """
    found, columns = reasons(contract, decoder), [*judged(contract), *map(F.col, keep)]

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
