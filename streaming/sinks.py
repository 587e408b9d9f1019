"""All writes by Spark; each can be repeated without harm."""

from collections.abc import Sequence

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import types as T

from tidemark.leases import Fence
from tidemark.ledger import Label
from tidemark.names import quoted
from tidemark.settings import Settings

_LARGEST_RECORD = 32 * 1024 * 1024  # all of the memory in which Kafka's client keeps what is to be sent

_UPDATES = "tidemark_updates"  # a view of the session

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


def append(rows: DataFrame, path: str, label: Label, fence: Fence | None = None) -> None:
    """Append rows in one labelled commit; under a fence, Delta leaves out what an older holder writes."""
    _labelled(rows, label, fence).mode("append").save(path)


def evaluate(rows: DataFrame) -> None:
    """Work out every column of every row, and write nothing."""
    rows.write.format("noop").mode("overwrite").save()


def replace(rows: DataFrame, path: str, where: str, label: Label, fence: Fence) -> None:
    """Put rows in the place of those that match, in one labelled commit."""
    _labelled(rows, label, fence).mode("overwrite").option("replaceWhere", where).save(path)


def update(rows: DataFrame, path: str, on: str, label: Label, fence: Fence) -> None:
    """Set all columns of `rows`, the source, in the target's rows that match, in one labelled commit."""
    session = rows.sparkSession
    rows.createOrReplaceTempView(_UPDATES)
    columns = ", ".join(f"target.{quoted(name)} = source.{quoted(name)}" for name in rows.columns)
    statement = f"MERGE INTO {quoted('delta', path)} AS target USING {quoted(_UPDATES)} AS source ON {on}"
    stamp = {
        "spark.databricks.delta.commitInfo.userMetadata": label.to_json(),
        "spark.databricks.delta.write.txnAppId": fence.app_id,
        "spark.databricks.delta.write.txnVersion": str(fence.version),
    }
    try:
        for key, value in stamp.items():
            session.conf.set(key, value)
        session.sql(f"{statement} WHEN MATCHED THEN UPDATE SET {columns}").collect()
    finally:
        for key in stamp:
            session.conf.unset(key)  # else they would be on the session's next statement too


def _labelled(rows: DataFrame, label: Label, fence: Fence | None) -> DataFrameWriter:
    writer = rows.write.format("delta").option("userMetadata", label.to_json())
    return writer.option("txnAppId", fence.app_id).option("txnVersion", str(fence.version)) if fence else writer


def set_aside(rows: DataFrame, folder: str, by: str) -> None:
    """Write rows to a scratch folder as Parquet that everybody reads, in a folder for each value of a column."""
    name, session = "spark.sql.parquet.outputTimestampType", rows.sparkSession
    before = str(session.conf.get(name))
    session.conf.set(name, "TIMESTAMP_MICROS")  # its own format has no zone
    try:
        rows.write.partitionBy(by).parquet(folder)
    finally:
        session.conf.set(name, before)


def publish(rows: DataFrame, settings: Settings, topic: str) -> None:
    """Send rows with `key` and `value` to a topic: at least once, under a key that a repeat has too."""
    _to_kafka(rows, settings).option("topic", topic).save()


def copy(records: DataFrame, settings: Settings) -> None:
    """Send records to the topic and the partition that each names: at least once, in their order."""
    # A record that is as large as its topic allows went there compressed, perhaps.
    writer = _to_kafka(records, settings).option("kafka.max.request.size", str(_LARGEST_RECORD))
    writer.option("kafka.compression.type", "zstd").save()


def _to_kafka(rows: DataFrame, settings: Settings) -> DataFrameWriter:
    writer = rows.write.format("kafka").option("kafka.bootstrap.servers", settings.bootstrap)
    return writer.option("kafka.acks", "all").option("kafka.enable.idempotence", "true")
