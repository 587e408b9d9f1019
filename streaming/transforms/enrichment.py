"""Payments with what is known of them: the customer as of now, and the ride that was paid."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

RIDE_WITHIN_MINUTES = 15

_PAYMENT = ("payment_id", "event_time", "card_id", "customer_id", "amount", "currency", "country", "merchant")


def with_customers(payments: DataFrame, customers: DataFrame) -> DataFrame:
    """Add the customer to each payment; one that is not known, or was deleted, is null.

    Args:
        customers: the current customers, one row for each `customer_id`.
    """
    living = customers.where(~F.col("is_deleted")).select(
        F.col("customer_id"),
        F.col("segment").alias("customer_segment"),
        F.col("country").alias("customer_country"),
        F.col("changed_at").alias("customer_changed_at"),
    )
    joined = _once(payments).join(living, "customer_id", "left")
    return joined.select(
        *_PAYMENT,
        "customer_segment",
        "customer_country",
        "customer_changed_at",
        (F.col("country") != F.col("customer_country")).alias("is_abroad"),
    )


def with_rides(payments: DataFrame, rides: DataFrame) -> DataFrame:
    """Add to each payment of a ride the ride's own event within RIDE_WITHIN_MINUTES of it.

    A payment without one is told when the watermark says that none can come any more.
    """
    paid = _once(payments.where(F.col("ride_event_id").isNotNull())).select(*_PAYMENT, "ride_event_id")
    ridden = rides.dropDuplicates(["event_id", "event_time"]).select(
        F.col("event_id"),
        F.col("event_time").alias("ride_at"),
        F.col("user_id").alias("ride_user_id"),
        F.col("amount").alias("ride_amount"),
    )
    within = F.expr(f"INTERVAL {RIDE_WITHIN_MINUTES} MINUTES")
    is_near = F.col("ride_at").between(F.col("event_time") - within, F.col("event_time") + within)
    joined = paid.join(ridden, (F.col("ride_event_id") == F.col("event_id")) & is_near, "leftOuter")
    found = ("ride_event_id", "ride_at", "ride_user_id", "ride_amount")
    return joined.select(*_PAYMENT, *found, F.col("event_id").isNotNull().alias("is_matched"))


def _once(payments: DataFrame) -> DataFrame:
    """Drop what was sent again, within the watermark."""
    return payments.dropDuplicates(["payment_id", "event_time"])
