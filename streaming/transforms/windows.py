"""Event-time windows: the same transform for the stream and for the batch job that recomputes a day."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_RELATIVE_DEVIATION = 0.05


def counted_rides(events: DataFrame) -> DataFrame:
    """Count ride events by type in windows of one minute that slide by 30 seconds."""
    windows = events.groupBy(F.window("event_time", "1 minute", "30 seconds"), "event_type")
    return windows.agg(F.count("*").alias("count_events")).select(
        F.col("event_type"),
        F.col("window.start").alias("window_start"),
        F.col("window.end").alias("window_end"),
        F.col("count_events"),
    )


def summed_sales(sales: DataFrame) -> DataFrame:
    """Sum up the sales of each product in windows of five minutes.

    Revenue is added up in decimals, to a hundredth of a cent: 0.1 and 0.2 are 0.3, and the order of the records, which
    a restart may change, doesn't matter as it does to a sum of doubles. A sum that has no number is null: quantities
    beyond 64 bits, or an amount of 10^16 euros or more. Customers are counted by HyperLogLog++, in bounded memory, with
    a relative standard deviation of 5 %.
    """
    amount = F.col("revenue").try_cast("decimal(20,4)")
    windows = sales.groupBy(F.window("event_time", "5 minutes"), "product_id").agg(
        F.try_sum("quantity").alias("quantity"),
        F.when(~F.bool_or(amount.isNull()), F.try_sum(amount)).cast("double").alias("revenue"),
        F.approx_count_distinct("customer_id", _RELATIVE_DEVIATION).alias("unique_customers"),
    )
    return windows.select(
        F.col("product_id"),
        F.col("window.start").alias("window_start"),
        F.col("window.end").alias("window_end"),
        F.col("quantity"),
        F.col("revenue"),
        F.col("unique_customers"),
    )
