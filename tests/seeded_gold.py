"""Gold for tests of its gates: a clean table of each kind, beside the silver that it adds up.

Each row of gold is made of one row of silver, so that both are easily made and spoiled.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from tests.gated import Row, write_table
from tidemark.settings import Settings

Make = Callable[[Row], Row]


def write_gold(settings: Settings, table: str, rows: Sequence[Row], base: Sequence[Row]) -> None:
    """Write a table of gold, and of silver the rows that are made from a base."""
    silver, of_silver, _ = GOLD[table]
    write_table(settings, silver, list(map(of_silver, base)))
    write_table(settings, table, rows)


def gold_rows(table: str, base: Sequence[Row]) -> list[Row]:
    """Give the rows of a clean table of gold."""
    return list(map(GOLD[table][2], base))


def _money(row: Row) -> Decimal:
    return Decimal(str(row["amount"]))


def _subject(row: Row) -> str:
    return f"s{row['_offset']}"


def _at(row: Row, *names: str) -> Row:
    return dict.fromkeys(names, row["event_time"])


def _sale(row: Row) -> Row:
    return {"product_id": _subject(row), "quantity": 2, "revenue": row["amount"], **_at(row, "event_time")}


def _sold(row: Row) -> Row:
    return {"product_id": _subject(row), "count_sales": 1, "sum_quantity": 2, "sum_revenue": _money(row)}


# table: the silver that it is made from, a row of that, and a row of the table
GOLD: Mapping[str, tuple[str, Make, Make]] = {
    "gold.fct_rides": (
        "silver.stg_rides",
        lambda row: {"ride_id": _subject(row), **_at(row, "event_time")},
        lambda row: {
            "ride_id": _subject(row),
            "count_events": 1,
            "amount": _money(row),
            **_at(row, "last_event_at"),
        },
    ),
    "gold.fct_sessions": (
        "silver.stg_page_views",
        lambda row: {"visitor_id": row["user_id"], **_at(row, "event_time")},
        lambda row: {
            "session_id": _subject(row),
            "visitor_id": row["user_id"],
            "count_views": 1,
            "lasted_micros": 0,
            **_at(row, "started_at"),
        },
    ),
    "gold.fct_service_errors": (
        "silver.stg_logs",
        lambda row: {"service": row["event_type"], "level": "FATAL", **_at(row, "event_time")},
        lambda row: {
            "service": row["event_type"],
            "count_logs": 1,
            "count_errors": 1,
            "hour_at": row["event_time"].replace(minute=0, second=0, microsecond=0),
        },
    ),
    "gold.fct_sensor_health": (
        "silver.stg_sensor_readings",
        lambda row: {"sensor_id": _subject(row), **_at(row, "event_time")},
        lambda row: {
            "sensor_id": _subject(row),
            "metric": "t",
            "reading_date": row["event_time"].date(),
            "count_readings": 1,
            "count_anomalies": 0,
            "count_silences": 0,
            "longest_pause_micros": 0,
        },
    ),
    "gold.fct_product_sales_daily": (
        "silver.stg_sales",
        _sale,
        lambda row: {**_sold(row), "count_customers": 1, "sale_date": row["event_time"].date()},
    ),
    "gold.dim_products": ("silver.stg_sales", _sale, lambda row: {**_sold(row), **_at(row, "first_sold_at")}),
    "gold.dim_customers": (
        "silver.stg_customers",
        lambda row: {"customer_id": _subject(row), "event_time": row["event_time"]},
        lambda row: {"customer_id": _subject(row), "count_versions": 1, **_at(row, "first_seen_at")},
    ),
    "gold.fct_fraud_alerts": (
        "silver.stg_payments",
        lambda row: {"payment_id": _subject(row), "amount": row["amount"]},
        lambda row: {"payment_id": _subject(row), "rule": "velocity", "amount": _money(row)},
    ),
}
