"""The speed layer: stateful streams over a topic's good records, to a Delta table and a Kafka topic.

They read the topic, never bronze: a repair of bronze would break them. What they write is provisional
(`is_final = false`) until a batch job has recomputed the day by the same transform.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.streaming import StreamingQuery

from streaming.rules import RuleBreach
from streaming.sinks import create_table, publish, upsert
from streaming.sources import from_the_beginning, topic_stream
from streaming.transforms.bronze import bronze_rows
from tidemark import bronze
from tidemark.contracts import Contract
from tidemark.settings import Settings
from tidemark.topics import Topics

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SpeedLayer:
    """A windowed stream, as a value."""

    name: str
    contract: str
    transform: Callable[[DataFrame], DataFrame]
    columns: str  # of the transform's result, as DDL
    key: tuple[str, ...]
    topic: str
    watermark_minutes: int
    longest_window_minutes: int
    trigger: str = "5 seconds"

    @property
    def schema(self) -> T.StructType:
        """The table's schema."""
        ddl = f"{self.columns}, is_final boolean, updated_at timestamp"
        return cast(T.StructType, T.StructType.fromDDL(ddl))


class SpeedStream:
    """The always-on query of one speed layer."""

    def __init__(self, layer: SpeedLayer, contract: Contract, settings: Settings) -> None:
        self.name = layer.name
        self.breach: RuleBreach | None = None
        self._layer = layer
        self._contract = contract
        self._settings = settings
        self._topics = Topics(settings.bootstrap)
        self._table = settings.table("speed", layer.name)
        self._checkpoint = settings.checkpoint(layer.name)

    def start(self, spark: SparkSession) -> StreamingQuery:
        """Create what is missing (topics, table), then start the query."""
        for topic in (self._contract.topic, self._layer.topic):
            self._topics.ensure(topic, self._settings.topic_partitions)
        create_table(spark, self._table, self._layer.schema)
        partitions = self._topics.partitions(self._contract.topic)
        start: Mapping[str, str] = {"startingOffsets": from_the_beginning(self._contract.topic, partitions, {})}
        if not (self._checkpoint / "metadata").exists():
            start = self._resume(spark) or start
        records = topic_stream(spark, self._settings, self._contract.topic, start)
        events = bronze_rows(records, self._contract, F.current_timestamp(), self._settings.future_limit_minutes)
        good = events.where((F.size(bronze.ERRORS) == 0) & F.col(bronze.VALUE).isNotNull())
        watched = good.withWatermark(self._contract.event_time, f"{self._layer.watermark_minutes} minutes")
        writer = self._layer.transform(watched).writeStream.queryName(self.name).outputMode("update")
        writer = writer.trigger(processingTime=self._layer.trigger).foreachBatch(self._write)
        return writer.option("checkpointLocation", str(self._checkpoint)).start()

    def _write(self, windows: DataFrame, batch: int) -> None:
        """Write a micro-batch's windows; each has its whole state, so that a repeat changes nothing."""
        floor = read_floor(self._floor_file)
        kept = windows if floor is None else windows.where(F.col("window_start") >= F.lit(floor))
        rows = kept.withColumns({"is_final": F.lit(False), "updated_at": F.current_timestamp()}).persist()
        try:
            if rows.isEmpty():
                return
            upsert(rows, self._table, self._layer.key)
            publish(keyed(rows, self._layer), self._settings, self._layer.topic)
        finally:
            rows.unpersist()

    def _resume(self, spark: SparkSession) -> Mapping[str, str] | None:
        """Say where a stream starts whose checkpoint is lost: early enough to rebuild every open window.

        Windows begun before that were closed; their state can't be rebuilt whole, so they are never written again.
        """
        newest = spark.read.format("delta").load(self._table).agg(F.max("window_end")).collect()[0][0]
        if newest is None:
            return None
        floor = floor_of(newest, self._layer)
        self._floor_file.parent.mkdir(parents=True, exist_ok=True)
        self._floor_file.write_text(json.dumps({"floor": floor.isoformat()}))
        # A record may be stamped before the event time it carries, by as much as the limit for future times.
        earliest = floor - timedelta(minutes=self._settings.future_limit_minutes)
        log.warning("%s: checkpoint lost: rebuilds windows from %s", self.name, floor)
        return {
            "startingTimestamp": str(int(earliest.timestamp() * 1000)),
            "startingOffsetsByTimestampStrategy": "latest",
        }

    @property
    def _floor_file(self) -> Path:
        return self._checkpoint.with_name(f"{self.name}.floor.json")


def floor_of(newest_window_end: datetime, layer: SpeedLayer) -> datetime:
    """Give the start of the first window that may still have been open, to the minute below."""
    behind = layer.watermark_minutes + 2 * layer.longest_window_minutes
    return (newest_window_end - timedelta(minutes=behind)).replace(second=0, microsecond=0)


def read_floor(path: Path) -> datetime | None:
    """Read the start of the first window that a rebuilt stream may write; None: any."""
    return datetime.fromisoformat(json.loads(path.read_text())["floor"]) if path.exists() else None


def keyed(rows: DataFrame, layer: SpeedLayer) -> DataFrame:
    """Give the Kafka record of each row, under a key that the same window has again."""
    key = F.concat_ws("|", *[F.col(column).cast("string") for column in layer.key])
    return rows.select(key.alias("key"), F.to_json(F.struct("*")).alias("value"))
