"""The speed layer: stateful streams over the good records of topics, to a Delta table, and to Kafka and Redis.

They read the topics, never bronze: a repair of bronze would break them. What they write is provisional
(`is_final = false`) until a batch job (`streaming/batch/recompute.py`) has recomputed the day by the same transform.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal, cast

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.streaming import StreamingQuery

from streaming.current_table import current_table
from streaming.fence import fence
from streaming.good_rows import GoodRows, clock
from streaming.redis_sink import RedisSink
from streaming.rules import RuleBreach
from streaming.sinks import publish
from streaming.speed_table import IS_FINAL, UPDATED_AT, Completed, SpeedTable, stamped
from streaming.turns import in_turn
from tidemark.contracts import Contract
from tidemark.locks import driver_lock, write_lock
from tidemark.redis_hashes import HashLayout
from tidemark.settings import Settings
from tidemark.topics import Topics

log = logging.getLogger(__name__)

WINDOW_END = "window_end"  # of sessions; they are written once, when they are closed


@dataclass(frozen=True)
class SpeedLayer:
    """A stateful stream, as a value."""

    name: str
    contracts: tuple[str, ...]
    transform: Callable[..., DataFrame]  # takes the good rows of each contract, in that order
    columns: str  # of the transform's result, as DDL
    key: tuple[str, ...]  # of the table: there is one row for each
    event_time: str  # the column that says which time a row means; never null
    watermark_minutes: tuple[int, ...]  # one for each contract
    longest_window_minutes: int
    output_mode: Literal["update", "append"] = "update"
    trigger_seconds: float = 5.0  # least time from one micro-batch to the next, while the processors are not too few
    topic: str | None = None
    tables: tuple[str, ...] = ()  # of the speed layer: read anew in each micro-batch, given after the contracts' rows
    hashes: HashLayout | None = None
    completed: Completed | None = None  # makes the table's rows of results that are not yet; for no topic or hashes
    gap_minutes: int = 0  # what a row depends on before its event time: a rebuild begins earlier by as much
    ahead_minutes: int | None = None  # what a row depends on after its event time; None: a window and the gap
    is_recomputed: bool = True  # False: it reads tables as they are now, so no later run can tell what they were

    @property
    def closes_windows(self) -> bool:
        """Tell whether a window is written once, when it is closed."""
        return self.output_mode == "append" and WINDOW_END in self.schema.names

    @property
    def behind(self) -> timedelta:
        """How far before its event time the records of a row may lie."""
        return timedelta(minutes=2 * self.longest_window_minutes + self.gap_minutes)

    @property
    def ahead(self) -> timedelta:
        """How far after its event time the records of a row may lie."""
        default = self.longest_window_minutes + self.gap_minutes
        return timedelta(minutes=default if self.ahead_minutes is None else self.ahead_minutes)

    @property
    def schema(self) -> T.StructType:
        """The table's schema."""
        ddl = f"{self.columns}, {IS_FINAL} boolean, {UPDATED_AT} timestamp"
        return cast(T.StructType, T.StructType.fromDDL(ddl))


class SpeedStream:
    """The always-on query of one speed layer."""

    def __init__(self, layer: SpeedLayer, contracts: Mapping[str, Contract], settings: Settings) -> None:
        self.name = layer.name
        self.breach: RuleBreach | None = None
        self.trigger_seconds = layer.trigger_seconds
        self._layer = layer
        self._settings = settings
        named = enumerate(layer.contracts)
        self._sources = [GoodRows(contracts[name], settings, layer.name, number) for number, name in named]
        self._tables = [current_table(contracts[name], settings) for name in layer.tables]
        self._topics = Topics(settings.bootstrap)
        self._path = settings.table("speed", layer.name)
        self._table = speed_table(layer, settings)
        self._checkpoint = settings.checkpoint(layer.name)
        self._redis = RedisSink(layer.hashes, settings) if layer.hashes else None

    @property
    def warning(self) -> str:
        """What is wrong with a sink that the stream does without; empty: nothing."""
        return self._redis.warning if self._redis else ""

    def start(self, spark: SparkSession) -> StreamingQuery:
        """Create what is missing (topics, table), then start the query.

        Raises:
            LockHeld: a driver of an earlier instance still lives.
        """
        fence(spark, driver_lock(self._settings.locks, self.name), self._path)
        if self._layer.topic:
            self._topics.ensure(self._layer.topic, self._settings.topic_partitions)
        self._table.create(to_arrow_schema(self._layer.schema))
        start = {} if (self._checkpoint / "metadata").exists() else self._resume()
        results = self._layer.transform(*self._watched(spark, start), *(each.read(spark) for each in self._tables))
        writer = results.writeStream.queryName(self.name).outputMode(self._layer.output_mode)
        writer = writer.trigger(processingTime=f"{self.trigger_seconds:g} seconds").foreachBatch(in_turn(self._write))
        return writer.option("checkpointLocation", str(self._checkpoint)).start()

    def failed(self, spark: SparkSession, error: Exception) -> bool:
        """Look up the schemas that it failed for."""
        learned = [source.learn(spark, error) for source in self._sources]
        return any(learned)

    def _watched(self, spark: SparkSession, start: Mapping[str, str]) -> Iterator[DataFrame]:
        for source, minutes in zip(self._sources, self._layer.watermark_minutes, strict=True):
            rows, at = source.stream(spark, start), source.contract.event_time
            # A clock that is further ahead would end the windows of all others: its rows wait for the batch job.
            latest = clock() + F.expr(f"INTERVAL {int(minutes)} MINUTES")
            yield rows.where(F.col(at) <= latest).withWatermark(at, f"{minutes} minutes")

    def _write(self, results: DataFrame, batch: int) -> None:
        """Write a micro-batch's results; each has its whole state, so that a repeat changes nothing."""
        kept = writable(results, self._floor_file, self._layer)
        rows = stamped(kept.toArrow(), is_final=False)
        self._table.upsert(rows, partial(self._announce, results.sparkSession))
        if self._redis:
            self._redis.write(rows)

    def _announce(self, spark: SparkSession, changed: pa.Table) -> None:
        if self._layer.topic:
            # Kafka's client would wait two minutes for a topic that is gone, and then fail the batch.
            self._topics.ensure(self._layer.topic, self._settings.topic_partitions)
            publish(keyed(spark.createDataFrame(changed), self._layer), self._settings, self._layer.topic)

    def _resume(self) -> Mapping[str, str]:
        """Say where a stream starts whose checkpoint is lost: early enough to rebuild every open window.

        What begins before that was closed; its state can't be rebuilt whole, so it is never written again. Nothing:
        the table is empty.
        """
        newest = self._table.newest()
        if newest is None:
            return {}
        floor = floor_of(newest, self._layer)
        self._floor_file.parent.mkdir(parents=True, exist_ok=True)
        closed = self._table.newest(WINDOW_END) if self._layer.closes_windows else None
        self._floor_file.write_text(json.dumps({"floor": floor.isoformat(), "closed": closed and closed.isoformat()}))
        # A record may be stamped before the event time it carries, by as much as the limit for future times.
        earliest = floor - timedelta(minutes=self._layer.gap_minutes + self._settings.future_limit_minutes)
        log.warning("%s: checkpoint lost: rebuilds windows from %s", self.name, floor)
        return {
            "startingTimestamp": str(int(earliest.timestamp() * 1000)),
            "startingOffsetsByTimestampStrategy": "latest",
        }

    @property
    def _floor_file(self) -> Path:
        return self._checkpoint.with_name(f"{self.name}.floor.json")


def speed_table(layer: SpeedLayer, settings: Settings) -> SpeedTable:
    """Give a layer's table, for its stream or for a batch job: whoever writes holds the table's lock."""
    path, lock = settings.table("speed", layer.name), write_lock(settings.locks, f"speed.{layer.name}")
    return SpeedTable(path, layer.key, layer.event_time, layer.completed, lock)


def floor_of(newest: datetime, layer: SpeedLayer) -> datetime:
    """Give the start of the first window that may have been open when the newest was written, to the minute below."""
    behind = max(layer.watermark_minutes) + 2 * layer.longest_window_minutes
    return (newest - timedelta(minutes=behind)).replace(second=0, microsecond=0)


def writable(results: DataFrame, path: Path, layer: SpeedLayer) -> DataFrame:
    """Leave out what a rebuilt stream may not write: what begins before its floor, and sessions that were closed.

    They are in the table, and the rebuilt ones may have views that came too late for them.
    """
    if not path.exists():
        return results
    times = {name: text and datetime.fromisoformat(text) for name, text in json.loads(path.read_text()).items()}
    kept = results.where(F.col(layer.event_time) >= F.lit(times["floor"]))
    return kept.where(F.col(WINDOW_END) > F.lit(times["closed"])) if times.get("closed") else kept


def keyed(rows: DataFrame, layer: SpeedLayer) -> DataFrame:
    """Give the Kafka record of each row, under a key that the same row has again."""
    key = F.concat_ws("|", *[F.col(column).cast("string") for column in layer.key])
    return rows.select(key.alias("key"), F.to_json(F.struct("*")).alias("value"))
