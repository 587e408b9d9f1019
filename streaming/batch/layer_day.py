"""A day of a speed layer, worked out from bronze by the stream's own transform.

Spark writes the rows to a scratch folder, an hour in a folder of its own; who reads them has one hour in memory.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from streaming.batch.completeness import Reach
from streaming.sinks import set_aside
from streaming.speed import WINDOW_END, SpeedLayer
from streaming.transforms.exports import is_exported
from streaming.transforms.imported import settled
from tidemark import bronze
from tidemark.contracts import Contract
from tidemark.ledger import Ledger
from tidemark.settings import Settings

_HOURLY = "hourly"  # the hour of a row, and the name of its folder
_HOUR = timedelta(hours=1)


class LayerDay:
    """The rows of one layer whose event time is of one day, UTC."""

    def __init__(self, layer: SpeedLayer, contracts: Mapping[str, Contract], settings: Settings, day: date) -> None:
        self._layer, self._settings = layer, settings
        self._contracts = [contracts[name] for name in layer.contracts]
        self._start = datetime.combine(day, time(), UTC)

    def reach(self, times: int = 1) -> Reach:
        """Give the event times of the records that it depends on.

        Args:
            times: how many times as far ahead as the layer says.
        """
        return Reach(self._start - self._layer.behind, self._start + timedelta(days=1) + times * self._layer.ahead)

    def set_aside(self, spark: SparkSession, reach: Reach, folder: Path) -> None:
        """Work the rows out, into a new folder; those of the hours around the day are not whole, and never read."""
        # No filter for the day: Spark would push one on a session's start down to the records that it is made of.
        rows = self._layer.transform(*(self._records(spark, each, reach) for each in self._contracts))
        hour = F.date_format(self._layer.event_time, "yyyy-MM-dd-HH")
        set_aside(rows.withColumn(_HOURLY, hour), str(folder), by=_HOURLY)

    def goes_on(self, reach: Reach, folder: Path) -> bool:
        """Tell whether a window is so long that records after the reach may belong to it."""
        if not self._layer.closes_windows:
            return False
        may_go_on = ds.field(WINDOW_END) >= reach.end
        return any(rows is not None and rows.count_rows(filter=may_go_on) for _, rows in self._hours(folder))

    def hours(self, folder: Path) -> Iterator[tuple[datetime, pa.Table | None]]:
        """Give each hour of the day and its rows; None where there is none."""
        for hour, rows in self._hours(folder):
            yield hour, None if rows is None else rows.to_table()

    def _hours(self, folder: Path) -> Iterator[tuple[datetime, ds.Dataset | None]]:
        for hour in (self._start + number * _HOUR for number in range(24)):
            path = folder / f"{_HOURLY}={hour:%Y-%m-%d-%H}"
            yield hour, ds.dataset(path, format="parquet") if path.exists() else None

    def _records(self, spark: SparkSession, contract: Contract, reach: Reach) -> DataFrame:
        """Read a contract's good records as bronze has them now; repaired and imported ones are among them."""
        path = self._settings.table("bronze", contract.id)
        rows = spark.read.format("delta").option("versionAsOf", Ledger(path).latest_version()).load(path)
        good = rows.where((F.size(bronze.ERRORS) == 0) & F.col(bronze.VALUE).isNotNull())
        at = F.col(contract.event_time)
        near = good.where((at >= F.lit(reach.start)) & (at < F.lit(reach.end)))
        # Without imported rows nothing is to be settled, and nothing need be sorted by its key.
        return near if near.where(is_exported()).isEmpty() else settled(near, contract)
