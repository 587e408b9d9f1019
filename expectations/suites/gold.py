"""Gold: which table is judged by what. Each has its key once, and adds up to the silver that it is made from.

What comes all day long misses no hour or day and is about as much as a week before; customers and products do not come
by the hour, so that for them it is how fast they grow. combined_metrics has no gate: it is a view, without versions of
its own, of tables that `tidemark recompute` compares.
"""

from collections.abc import Mapping
from types import MappingProxyType

from expectations.suites.sums import Sums, Times

_MONEY = "sum(try_cast({} AS DECIMAL(38, 6)))"
_HOUR, _DAY = "HOUR", "DAY"

_TABLES = (
    Sums(
        name="fct_rides_hourly",
        source="silver.stg_rides",
        sums={"count_events": "count(*)", "sum_amount": _MONEY.format("amount")},
        least={"count_events": 1, "count_users": 1, "sum_amount": 0},
        times=Times("hour_at", _HOUR, "count_events"),
    ),
    Sums(
        name="fct_product_sales_daily",
        source="silver.stg_sales",
        sums={
            "count_sales": "count(*)",
            "sum_quantity": "try_sum(quantity)",
            "sum_revenue": _MONEY.format("revenue"),
        },
        least={"count_sales": 1, "count_customers": 1, "sum_quantity": 0, "sum_revenue": 0},
        times=Times("sale_date", _DAY, "count_sales"),
    ),
    Sums(
        name="fct_sensor_health",
        source="silver.stg_sensor_readings",
        sums={"count_readings": "count(*)"},
        least={"count_readings": 1, "count_anomalies": 0, "count_silences": 0, "longest_pause_micros": 0},
        times=Times("reading_date", _DAY, "count_readings"),
    ),
    Sums(
        name="fct_service_errors",
        source="silver.stg_logs",
        sums={"count_logs": "count(*)", "count_errors": "count_if(level IN ('ERROR', 'FATAL'))"},
        least={"count_logs": 1, "count_errors": 0},
        times=Times("hour_at", _HOUR, "count_logs"),
    ),
    Sums(
        name="fct_rides",
        source="silver.stg_rides",
        sums={"count_events": "count(*)"},
        least={"count_events": 1, "amount": 0},
        by="ride_id",
        times=Times("last_event_at", _HOUR),
    ),
    Sums(
        name="fct_sessions",
        source="silver.stg_page_views",
        sums={"count_views": "count(*)"},
        least={"count_views": 1, "lasted_micros": 0},
        by="visitor_id",
        times=Times("started_at", _HOUR),
    ),
    Sums(
        name="dim_customers",
        source="silver.stg_customers",
        sums={"count_versions": "count(*)"},
        least={"count_versions": 1},
        by="customer_id",
        first_at="first_seen_at",
    ),
    Sums(
        name="dim_products",
        source="silver.stg_sales",
        sums={
            "count_sales": "count(*)",
            "sum_quantity": "try_sum(quantity)",
            "sum_revenue": _MONEY.format("revenue"),
        },
        least={"count_sales": 1, "sum_quantity": 0, "sum_revenue": 0},
        by="product_id",
        first_at="first_sold_at",
    ),
    # Alerts come when somebody cheats: neither their hours nor their number say anything, and no alerts are good.
    Sums(
        name="fct_fraud_alerts",
        source="silver.stg_payments",
        sums={"amount": _MONEY.format("amount")},
        least={"amount": 0},
        by="payment_id",
        may_be_empty=True,
        of_each=True,
    ),
)

GOLD: Mapping[str, Sums] = MappingProxyType({each.name: each for each in _TABLES})
