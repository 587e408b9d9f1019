"""Kafka records become bronze rows, good and quarantined alike: decoded, judged, none left out."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from streaming.transforms.json_records import decoded
from streaming.transforms.judgement import judged
from tidemark import bronze
from tidemark.contracts import Contract


def bronze_rows(records: DataFrame, contract: Contract, landed: Column, future_limit_minutes: int) -> DataFrame:
    """Turn Kafka records into bronze rows.

    Args:
        records: the Kafka source's columns, with headers.
        landed: when they land; event times further ahead of it than the limit are quarantined.
    """
    latest = landed + F.expr(f"INTERVAL {int(future_limit_minutes)} MINUTES")
    return (
        records.transform(with_envelope, contract, landed)
        .transform(decoded, contract)
        .transform(judged, contract, latest)
    )


def with_envelope(records: DataFrame, contract: Contract, landed: Column) -> DataFrame:
    """Name the record's own fields as bronze has them, and add when and by what it was judged."""
    return records.select(
        F.col("topic").alias(bronze.TOPIC),
        F.col("partition").alias(bronze.PARTITION),
        F.col("offset").alias(bronze.OFFSET),
        F.col("timestamp").alias(bronze.KAFKA_TIME),
        F.col("key").alias(bronze.KEY),
        F.col("value").alias(bronze.VALUE),
        F.col("headers").alias(bronze.HEADERS),
        F.lit(None).cast("int").alias(bronze.SCHEMA_ID),
        F.lit(contract.version).alias(bronze.CONTRACT_VERSION),
        landed.alias(bronze.INGESTED_AT),
        landed.alias(bronze.JUDGED_AT),
        landed.cast("date").alias(bronze.INGEST_DATE),
    )
