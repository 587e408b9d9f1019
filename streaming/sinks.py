"""All writes by Spark; each can be repeated without harm."""

from collections.abc import Sequence

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from tidemark.ledger import Label
from tidemark.names import quoted
from tidemark.settings import Settings

_BRONZE_PROPERTIES = {
    # The log is the ledger's only copy until upkeep has copied it.
    "delta.enableExpiredLogCleanup": "false",
    "delta.checkpointInterval": "500",
    "delta.enableDeletionVectors": "false",
}


def create_table(
    spark: SparkSession,
    path: str,
    schema: T.StructType,
    partitioned_by: Sequence[str] = (),
    statistics_on: Sequence[str] = (),
    comment: str = "",
) -> None:
    """Create a Delta table where there is none; add the columns that it lacks."""
    if not DeltaTable.isDeltaTable(spark, path):
        builder = DeltaTable.createIfNotExists(spark).location(path).addColumns(schema).comment(comment)
        builder = builder.partitionedBy(*partitioned_by) if partitioned_by else builder
        properties = dict(_BRONZE_PROPERTIES)
        if statistics_on:
            # Statistics on payloads cost more than they save.
            properties["delta.dataSkippingStatsColumns"] = ",".join(statistics_on)
        for key, value in properties.items():
            builder = builder.property(key, value)
        builder.execute()
        return
    present = set(spark.read.format("delta").load(path).columns)
    for field in schema.fields:
        if field.name not in present:
            table = quoted("delta", path)
            spark.sql(f"ALTER TABLE {table} ADD COLUMNS ({quoted(field.name)} {field.dataType.simpleString()})")


def append(rows: DataFrame, path: str, label: Label) -> None:
    """Append rows in one labelled commit."""
    rows.write.format("delta").mode("append").option("userMetadata", label.to_json()).save(path)


def replace(rows: DataFrame, path: str, where: str, label: Label) -> None:
    """Put rows in the place of those that match, in one labelled commit."""
    writer = rows.write.format("delta").mode("overwrite").option("replaceWhere", where)
    writer.option("userMetadata", label.to_json()).save(path)


def upsert(rows: DataFrame, path: str, key: Sequence[str]) -> None:
    """Insert rows, or replace those with the same key: the newest state of each key wins."""
    same = " AND ".join(f"old.{quoted(column)} = new.{quoted(column)}" for column in key)
    target = DeltaTable.forPath(rows.sparkSession, path).alias("old")
    merge = target.merge(rows.alias("new"), same)
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()


def publish(rows: DataFrame, settings: Settings, topic: str) -> None:
    """Send rows with `key` and `value` to a topic: at least once, under a key that a repeat has too."""
    writer = rows.write.format("kafka").option("kafka.bootstrap.servers", settings.bootstrap)
    writer.option("kafka.acks", "all").option("kafka.enable.idempotence", "true").option("topic", topic).save()
