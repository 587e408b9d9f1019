"""Defects to seed into the tables of gold beside silver that is clean: each kind, and the check that must find it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.gated import Row
from tests.seeded import Seeded, all_of, changed, without

# A day and more that nothing came, an hour, and half of the newest two days
GAP, HOUR, THINNED = range(150, 250), (100, 101), range(1, 96, 2)
LESS = "week_change({}) > -25 and < 100 %"


def _of_gold(table: str, found_by: Mapping[str, str], change: Row, lost: Sequence[int] = (), **also: Any) -> Seeded:
    """Seed a table of gold: a row is another than its silver, and rows are lost of both."""
    spoil = all_of(changed([260], lambda row: change), without(lost))
    return Seeded(table, found_by, spoil, write={"without": lost}, **also)


def _grown(row: Row) -> Row:
    return {"first_seen_at": row["first_seen_at"] - timedelta(days=40)}


GOLD_DEFECTS = {
    "rides": _of_gold(
        "gold.fct_rides",
        {
            "an event lost of a ride": "adds_up(count_events) = 0 parts off",
            "a ride that costs less than nothing": "range(amount) >= 0",
            "an hour of no ride": "hours_missing(last_event_at) = 0",
            "fewer rides than a week ago": LESS.format("last_event_at"),
        },
        {"count_events": 2, "amount": Decimal(-1)},
        (*HOUR, *THINNED),
    ),
    "sessions": _of_gold(
        "gold.fct_sessions",
        {
            "a view lost of a visitor": "adds_up(count_views) = 0 parts off",
            "a session that ends before it begins": "range(lasted_micros) >= 0",
            "an hour of no session": "hours_missing(started_at) = 0",
            "fewer sessions than a week ago": LESS.format("started_at"),
        },
        {"count_views": 2, "lasted_micros": -1},
        (*HOUR, *THINNED),
    ),
    "errors": _of_gold(
        "gold.fct_service_errors",
        {
            "a line of a log lost": "adds_up(count_logs) = 0 days off",
            "an error that is counted as none": "adds_up(count_errors) = 0 days off",
            "an hour of no log": "hours_missing(hour_at) = 0",
            "fewer logs than a week ago": LESS.format("count_logs"),
        },
        {"count_logs": 2, "count_errors": 0},
        (*HOUR, *THINNED),
    ),
    "sensors": _of_gold(
        "gold.fct_sensor_health",
        {
            "a reading lost": "adds_up(count_readings) = 0 days off",
            "anomalies below zero": "range(count_anomalies) >= 0",
            "a day of no reading": "days_missing(reading_date) = 0",
            "fewer readings than a week ago": LESS.format("count_readings"),
        },
        {"count_readings": 2, "count_anomalies": -1},
        (*GAP, *THINNED),
    ),
    "sales": _of_gold(
        "gold.fct_product_sales_daily",
        {
            "a sale lost": "adds_up(count_sales) = 0 days off",
            "pieces that are counted twice": "adds_up(sum_quantity) = 0 days off",
            "revenue in cents": "adds_up(sum_revenue) = 0 days off",
            "a day of no sale": "days_missing(sale_date) = 0",
            "fewer sales than a week ago": LESS.format("count_sales"),
        },
        {"count_sales": 2, "sum_quantity": 4, "sum_revenue": Decimal(300)},
        (*GAP, *THINNED),
    ),
    "products": _of_gold(
        "gold.dim_products",
        {
            "a sale lost of a product": "adds_up(count_sales) = 0 parts off",
            "pieces lost of a product": "adds_up(sum_quantity) = 0 parts off",
            "revenue lost of a product": "adds_up(sum_revenue) = 0 parts off",
        },
        {"count_sales": 2, "sum_quantity": 4, "sum_revenue": Decimal(300)},
    ),
    "customers": Seeded(
        "gold.dim_customers",
        {
            "a change lost of a customer": "adds_up(count_versions) = 0 parts off",
            "more customers than can be": "growth(first_seen_at) < 100 %",
        },
        all_of(changed([260], lambda row: {"count_versions": 2}), changed(range(400, 480), _grown)),
    ),
    "alerts": _of_gold(
        "gold.fct_fraud_alerts",
        {"an alert of another payment": "adds_up(amount) = 0 rows off"},
        {"amount": Decimal(300)},
    ),
}
