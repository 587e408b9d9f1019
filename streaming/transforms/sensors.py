"""Sensors: readings far from what a sensor has just read, and sensors that fall silent."""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tidemark.contracts import Contract, Silence

BASELINE_MINUTES = 5
LONGEST_WINDOW_MINUTES = BASELINE_MINUTES + 1
DEVIATIONS = 4.0  # k: of a normal distribution, one reading in 16,000 is further away
BASELINE_READINGS = 10  # fewer say nothing of what is usual

_EXACT = "decimal(15,6)"  # sums of doubles depend on their order, sums of decimals do not
_LARGEST = 1e9  # a reading beyond this is judged, but is no part of a baseline: its square would not fit


def sensor_minutes(readings: DataFrame) -> DataFrame:
    """Compare each minute of a sensor with the whole minutes before it.

    The baseline is the mean and the population's standard deviation of the BASELINE_MINUTES before the minute. Readings
    of the minute that are more than DEVIATIONS of them away are its anomalies, in the order of their times.
    """
    window = F.window("event_time", f"{LONGEST_WINDOW_MINUTES} minutes", "1 minute")
    is_new = F.col("event_time") >= F.col("window.end") - F.expr("INTERVAL 1 MINUTE")
    exact = F.when(F.abs("reading") < _LARGEST, F.col("reading").cast(_EXACT))
    windowed = readings.withColumn("window", window).withColumns({"is_new": is_new, "exact": exact})
    old, new = F.when(~F.col("is_new"), F.col("exact")), F.when(F.col("is_new"), _reading())
    known = windowed.groupBy("sensor_id", "metric", "window").agg(
        F.count(old).alias("count_baseline"),
        F.sum(old).cast("double").alias("total"),
        F.sum(old * old).cast("double").alias("squares"),
        F.sort_array(F.collect_set(new)).alias("readings"),
    )
    return known.where(F.size("readings") > 0).select(
        "sensor_id",
        "metric",
        (F.col("window.end") - F.expr("INTERVAL 1 MINUTE")).alias("window_start"),
        F.col("window.end").alias("window_end"),
        F.size("readings").alias("count_readings"),
        "count_baseline",
        _mean().alias("baseline_mean"),
        _deviation().alias("baseline_deviation"),
        F.size(_anomalies()).alias("count_anomalies"),
        _anomalies().alias("anomalies"),
    )


def silences_of(contract: Contract, silence: Silence) -> Callable[[DataFrame], DataFrame]:
    """Give the transform that finds when a value of a contract's column falls silent for too long.

    A silence begins with the last record, and is certain when the event time has passed it by that long: a session
    window that closes, not a record that comes.
    """

    def silences(records: DataFrame) -> DataFrame:
        # It also drops what is late by its own time: a session takes it until the session's end is late.
        once = records.dropDuplicates([*contract.key, contract.event_time])
        window = F.session_window(contract.event_time, f"{silence.within_seconds} seconds")
        last = once.groupBy(silence.column, window).agg(F.max(contract.event_time).alias("silent_from"))
        return last.select(silence.column, "silent_from", F.col("session_window.end").alias("noticed_at"))

    return silences


def _reading() -> Column:
    # In this order, since that is how they are sorted.
    return F.struct("event_time", "reading_id", "reading")


def _mean() -> Column:
    return F.when(F.col("count_baseline") > 0, F.col("total") / F.col("count_baseline"))


def _deviation() -> Column:
    # Rounding may bring the difference of two large sums just below zero.
    variance = F.col("squares") / F.col("count_baseline") - _mean() * _mean()
    return F.when(F.col("count_baseline") > 0, F.sqrt(F.greatest(variance, F.lit(0.0))))


def _anomalies() -> Column:
    far = F.filter("readings", lambda each: F.abs(each["reading"] - _mean()) > DEVIATIONS * _deviation())
    return F.when(F.col("count_baseline") >= BASELINE_READINGS, far).otherwise(F.slice("readings", 1, 0))
