"""A table's rows as they are now, and every change that made them so, for each contract of change events.

Changes come out of order, twice, and again after a restart. What counts is the source's own order: a change never
undoes a newer one, and a deleted row stays as its delete, so that nothing older brings it back.
"""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from streaming.current_table import change_schema, current_table
from streaming.fence import fence
from streaming.good_rows import GoodRows, clock
from streaming.rules import RuleBreach
from streaming.speed_table import UPDATED_AT, SpeedTable
from streaming.transforms.changes import changes_of, newest_of
from streaming.turns import in_turn
from tidemark.contracts import Contract
from tidemark.locks import driver_lock
from tidemark.settings import Settings

_TRIGGER_SECONDS = 5.0


class ChangeStream:
    """The always-on query of one contract of change events: to `speed/<id>` and `speed/<id>_history`."""

    def __init__(self, contract: Contract, settings: Settings) -> None:
        self.name = f"current_{contract.id}"
        self.breach: RuleBreach | None = None
        self.warning = ""
        self.trigger_seconds = _TRIGGER_SECONDS
        self._contract = contract
        self._settings = settings
        self._rows = GoodRows(contract, settings, self.name)
        self._path = settings.table("speed", contract.id)
        self._current = current_table(contract, settings)
        identity = (*contract.key, *contract.change_order)
        self._history = SpeedTable(settings.table("speed", f"{contract.id}_history"), identity, contract.event_time)

    def start(self, spark: SparkSession) -> StreamingQuery:
        """Create what is missing (topic, tables), then start the query: without a checkpoint from the beginning.

        Raises:
            LockHeld: a driver of an earlier instance still lives.
        """
        fence(spark, driver_lock(self._settings.locks, self.name), self._path)
        self._current.create()
        self._history.create(change_schema(self._contract))
        rows = self._rows.stream(spark, {})
        writer = rows.writeStream.queryName(self.name).foreachBatch(in_turn(self._write))
        writer = writer.trigger(processingTime=f"{self.trigger_seconds:g} seconds")
        return writer.option("checkpointLocation", str(self._settings.checkpoint(self.name))).start()

    def failed(self, spark: SparkSession, error: Exception) -> bool:
        """Look up the schemas that it failed for."""
        return self._rows.learn(spark, error)

    def _write(self, rows: DataFrame, batch: int) -> None:
        changes = changes_of(rows, self._contract).withColumn(UPDATED_AT, clock()).persist()
        try:
            self._history.upsert(changes.toArrow())
            self._current.merge_newer(newest_of(changes, self._contract).toArrow())
        finally:
            changes.unpersist()
