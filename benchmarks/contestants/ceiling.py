"""The local ceiling: one Spark batch from Kafka to Parquet, parsed, the same columns, nothing judged or proven."""

import os
import sys
from pathlib import Path

from pyspark.sql import functions as F

from benchmarks.contestants import serve
from streaming.session import streams_session
from tidemark.settings import Settings

BOOTSTRAP = sys.argv[1]
SCHEMA = "event_id STRING, user_id STRING, event_type STRING, amount DOUBLE, ts BIGINT"

spark = streams_session(Settings(home=Path(os.environ["BENCH_FOLDER"]), streams_memory=os.environ["BENCH_MEMORY"]))
spark.sparkContext.setLogLevel("ERROR")


def take(topic: str, folder: Path) -> None:
    """Take a whole topic."""
    reader = spark.read.format("kafka").option("kafka.bootstrap.servers", BOOTSTRAP).option("subscribe", topic)
    records = reader.option("includeHeaders", "true").option("kafka.max.poll.records", "10000").load()
    parsed = records.withColumn("data", F.from_json(F.col("value").cast("string"), SCHEMA))
    rows = parsed.select(
        F.col("topic").alias("_topic"),
        F.col("partition").alias("_partition"),
        F.col("offset").alias("_offset"),
        F.col("timestamp").alias("_kafka_time"),
        F.col("key").alias("_key"),
        F.col("value").alias("_value"),
        F.col("headers").alias("_headers"),
        F.lit(None).cast("int").alias("_schema_id"),
        F.lit("1.0.0").alias("_contract_version"),
        F.array().cast("array<string>").alias("_errors"),
        F.current_timestamp().alias("_ingested_at"),
        F.current_timestamp().alias("_judged_at"),
        F.current_date().alias("_ingest_date"),
        "data.event_id",
        "data.user_id",
        "data.event_type",
        "data.amount",
        F.timestamp_millis("data.ts").alias("event_time"),
    )
    rows.write.partitionBy("_ingest_date").parquet(str(folder / "table"))


serve(take)
