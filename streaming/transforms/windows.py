"""Event-time windows: the same transform for the stream and for the batch job that recomputes a day."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def counted_rides(events: DataFrame) -> DataFrame:
    """Count ride events by type in windows of one minute that slide by 30 seconds."""
    windows = events.groupBy(F.window("event_time", "1 minute", "30 seconds"), "event_type")
    return windows.agg(F.count("*").alias("count_events")).select(
        F.col("event_type"),
        F.col("window.start").alias("window_start"),
        F.col("window.end").alias("window_end"),
        F.col("count_events"),
    )
