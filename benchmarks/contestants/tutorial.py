"""Spark and Delta as tutorials write it: default settings, one query for good and one for bad rows."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming import StreamingQuery

from benchmarks.contestants import serve

BOOTSTRAP, JARS = sys.argv[1:3]
SCHEMA = "event_id STRING, user_id STRING, event_type STRING, amount DOUBLE, ts BIGINT"

spark = (
    SparkSession.builder.appName("tutorial")
    .config("spark.driver.extraClassPath", f"{JARS}/*")
    .config("spark.driver.memory", os.environ["BENCH_MEMORY"])
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def queries(topic: str, folder: Path) -> list[StreamingQuery]:
    """Start the two append queries."""
    raw = spark.readStream.format("kafka").option("kafka.bootstrap.servers", BOOTSTRAP)
    raw_events = raw.option("subscribe", topic).option("startingOffsets", "earliest").load()
    parsed = raw_events.select(F.col("value").cast("string").alias("raw"), "timestamp").withColumn(
        "data", F.from_json("raw", SCHEMA)
    )
    is_good = F.col("data.event_id").isNotNull() & F.col("data.amount").isNotNull() & (F.col("data.amount") >= 0)
    good = parsed.where(is_good).select("data.*", F.timestamp_millis("data.ts").alias("event_time"), "timestamp")
    bad = parsed.where(~F.coalesce(is_good, F.lit(False))).select("raw", "timestamp")
    return [append(good, folder / "good"), append(bad, folder / "bad")]


def append(rows: DataFrame, folder: Path) -> StreamingQuery:
    """Append to a Delta table by the native sink."""
    writer = rows.writeStream.format("delta").outputMode("append")
    return writer.option("checkpointLocation", f"{folder}_checkpoint").start(str(folder))


def take(topic: str, folder: Path) -> None:
    """Take a whole topic."""
    started = queries(topic, folder)
    for query in started:
        query.processAllAvailable()
    for query in started:
        query.stop()


def follow(topic: str, folder: Path) -> Callable[[], None]:
    """Keep writing a topic."""
    started = queries(topic, folder)

    def stop() -> None:
        for query in started:
            query.processAllAvailable()
            query.stop()

    return stop


serve(take, follow)
