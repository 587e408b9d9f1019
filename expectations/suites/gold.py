"""Gold: each table has its grain once, and sums that can be."""

from collections.abc import Callable

from expectations.suites.declared import at_least, not_null, suite_of, unique
from expectations.suites.gated import GatedTable


def fct_rides_hourly() -> GatedTable:
    """Give the gate of ride events per hour and type."""
    grain = ("hour_at", "event_type")
    suite = suite_of(
        "gold.fct_rides_hourly",
        (
            not_null("hour_at", "fail"),
            not_null("event_type", "fail"),
            unique(grain, "fail"),
            not_null("count_events", "fail"),
            at_least("count_events", 1, "fail"),
            at_least("count_users", 1, "fail"),
            not_null("sum_amount", "fail"),
            at_least("sum_amount", 0, "fail"),
        ),
    )
    return GatedTable("gold", "fct_rides_hourly", suite, (*grain, "count_events", "count_users", "sum_amount"), grain)


def fct_product_sales_daily() -> GatedTable:
    """Give the gate of sales per product and day."""
    grain = ("sale_date", "product_id")
    suite = suite_of(
        "gold.fct_product_sales_daily",
        (
            not_null("sale_date", "fail"),
            not_null("product_id", "fail"),
            unique(grain, "fail"),
            not_null("count_sales", "fail"),
            at_least("count_sales", 1, "fail"),
            at_least("count_customers", 1, "fail"),
            not_null("sum_quantity", "fail"),
            at_least("sum_quantity", 0, "fail"),
            not_null("sum_revenue", "fail"),
            at_least("sum_revenue", 0, "fail"),
        ),
    )
    measures = ("count_sales", "count_customers", "sum_quantity", "sum_revenue")
    return GatedTable("gold", "fct_product_sales_daily", suite, (*grain, *measures), grain)


GOLD: dict[str, Callable[[], GatedTable]] = {
    "fct_rides_hourly": fct_rides_hourly,
    "fct_product_sales_daily": fct_product_sales_daily,
}
