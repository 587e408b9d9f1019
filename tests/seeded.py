"""A clean lake of ten days, hour by hour, and defects to seed into it: each kind, and the check that must find it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.gated import Row, quarantined, ride, write_bronze, write_hours, write_rides, write_silver
from tests.seeded_gold import GOLD, gold_rows, write_gold
from tidemark.settings import Settings

HOURS = 240
TYPES = ("paid", "started")

Rows = list[Row]
Spoil = Callable[[Rows], Rows]


@dataclass(frozen=True)
class Seeded:
    """Defects seeded into one table, whose other tables are clean."""

    table: str
    found_by: Mapping[str, str]  # each defect, and the check that finds it at the first layer that can see it
    spoil: Spoil
    also: Sequence[str] = ()  # checks that see the same defects from another side
    write: Mapping[str, Any] = field(default_factory=dict)  # how the rows are written
    afterwards: Callable[[Settings, Rows], None] = lambda settings, rows: None


def lake(settings: Settings, table: str, spoil: Spoil = list, **how: Any) -> Rows:
    """Write the tables that a gate reads, the gated one spoiled; give its rows."""
    if table in GOLD:
        rows = spoil(gold_rows(table, rides()))
        write_gold(settings, table, rows, without(how.get("without", ()))(rides()))
        return rows
    rows = spoil(_CLEAN[table]())
    _WRITE[table](settings, rows, **how)
    return rows


def hours_ago(hours: int) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours, seconds=5)


def rides() -> Rows:
    """Give two rides an hour, the newest first: rows 2n and 2n + 1 are of n hours ago."""
    return [
        ride(
            number,
            event_id=f"event-{number:030d}",
            user_id=f"user-{number % 7:05d}",
            event_type=TYPES[number % 2],
            amount=2.0 + number % 3,
            event_time=hours_ago(number // 2),
        )
        for number in range(2 * HOURS)
    ]


def payments() -> Rows:
    """Give a payment of each ride."""
    own = {"currency": "EUR", "country": "DE", "merchant": "m", "card_id": "token"}
    return [
        {**each, **own, "payment_id": f"p{each['_offset']}", "customer_id": "c1", "ride_event_id": each["event_id"]}
        for each in rides()
    ]


def logs() -> Rows:
    """Give two lines of a log an hour."""
    own = {"service": "shop", "level": "INFO", "message": "a request was answered", "host": "h1", "trace_id": "t1"}
    return [{**each, **own, "log_id": each["event_id"]} for each in rides()]


def hours() -> Rows:
    """Give the rides as gold has them."""
    return [
        {
            "hour_at": each["event_time"].replace(minute=0, second=0, microsecond=0),
            "event_type": each["event_type"],
            "count_events": 1,
            "count_users": 1,
            "sum_amount": Decimal(str(each["amount"])),
        }
        for each in rides()
    ]


def _write_payments(settings: Settings, rows: Rows) -> None:
    write_rides(settings, rides())
    customer = ride(1, customer_id="c1", name="n", email="e", country="DE", segment="new", op="c", source_lsn=1)
    customer |= {"changed_at": hours_ago(1), "transaction_id": None, "is_snapshot": None}
    write_silver(settings, "stg_customers", "customers", [customer])
    write_silver(settings, "stg_payments", "card_payments", rows)


def _write_hours(settings: Settings, rows: Rows, without: Sequence[int] = ()) -> None:
    write_rides(settings, [row for number, row in enumerate(rides()) if number not in without])
    write_hours(settings, rows)


_CLEAN: Mapping[str, Callable[[], Rows]] = {
    "bronze.ride_events": rides,
    "bronze.app_logs": logs,
    "silver.stg_rides": rides,
    "silver.stg_payments": payments,
    "gold.fct_rides_hourly": hours,
}
_WRITE: Mapping[str, Callable[..., None]] = {
    "bronze.ride_events": lambda settings, rows, **how: write_bronze(settings, "ride_events", rows, **how),
    "bronze.app_logs": lambda settings, rows, **how: write_bronze(settings, "app_logs", rows, **how),
    "silver.stg_rides": write_rides,
    "silver.stg_payments": _write_payments,
    "gold.fct_rides_hourly": _write_hours,
}
TABLES = (*_CLEAN, *GOLD)


# --- the defects; rows below 48 are the newest day's


def changed(numbers: Sequence[int], change: Callable[[Row], Row]) -> Spoil:
    """Change some rows."""
    return lambda rows: [{**row, **change(row)} if number in numbers else row for number, row in enumerate(rows)]


def without(numbers: Sequence[int]) -> Spoil:
    """Leave some rows out."""
    return lambda rows: [row for number, row in enumerate(rows) if number not in numbers]


def all_of(*spoils: Spoil) -> Spoil:
    """Seed several defects."""

    def spoiled(rows: Rows) -> Rows:
        for spoil in spoils:
            rows = spoil(rows)
        return rows

    return spoiled


def _doubled_file(settings: Settings, rows: Rows) -> None:
    """Append rows of four days ago once more, as a copy by hand does: no label says so."""
    write_bronze(settings, "ride_events", rows[200:202], said=0)


def _late(row: Row) -> Row:
    return {"_kafka_time": row["_kafka_time"] - timedelta(hours=72)}


TODAY = range(48)
SOME = range(0, 12, 2)

DEFECTS = {
    "rows": Seeded(
        "bronze.ride_events",
        {
            "missing hour": "hours_missing(event_time) = 0",
            "doubled file": "ledger_rows = 0 rows beyond",
            "null spike in a required column": "not_null(user_id)",
            "negative amounts": "range(amount)",
            "category drift": "new_values(event_type) < 5 %",
            "text longer than allowed": "length(event_id)",
            "key reuse": "reused_keys(event_id) < 1 %",
            "spike of malformed records": "quarantined < 5 %",
            "truncated strings": "length_change(user_id) > 0.75 and < 1.5 times",
        },
        all_of(
            changed(TODAY, lambda row: {"user_id": row["user_id"][:4]}),
            changed(SOME, lambda row: {"event_type": "PAID"}),
            changed([3], lambda row: {"event_id": f"event-{5:030d}"}),
            changed([120], lambda row: {"user_id": None}),
            changed([122], lambda row: {"amount": -row["amount"]}),
            changed([124], lambda row: {"event_id": "e" * 1001}),
            without([100, 101]),
            lambda rows: [*rows, *map(quarantined, range(1000, 1030))],
        ),
        afterwards=_doubled_file,
    ),
    "a day unlike the others": Seeded(
        "bronze.ride_events",
        {
            "volume drop of 30 %": "volume_change(event_time) > -25 and < 100 %",
            "currency in cents": "scale(amount) > 0.2 and < 5 times",
            "shifted time zone": "delay(event_time) > -1800 and < 1800 seconds",
            "swapped columns": "new_values(event_type) < 5 %",
        },
        all_of(
            changed(SOME, lambda row: {"event_type": row["user_id"], "user_id": row["event_type"]}),
            changed(TODAY, lambda row: {"amount": row["amount"] * 100}),
            changed(TODAY, lambda row: {"event_time": row["event_time"] - timedelta(hours=1)}),
            without(range(13, 47, 2)),
        ),
        also=("freshness(event_time) within 15 minutes",),
    ),
    "a source that is behind": Seeded(
        "bronze.ride_events",
        {
            "stale source": "freshness(event_time) within 15 minutes",
            "lost rows": "ledger_rows = 0 rows beyond",
            "a column that went": "type(amount)",
        },
        lambda rows: [{**row, "event_time": row["event_time"] - timedelta(hours=72)} | _late(row) for row in rows],
        also=("not_null(amount)", "range(amount)"),
        write={"without": "amount", "said": 2 * HOURS + 5},
    ),
    "optional columns": Seeded(
        "bronze.app_logs",
        {"null spike in an optional column": "more_nulls(host) < 25 %", "a level that is none": "enum(level)"},
        all_of(changed(range(24), lambda row: {"host": None}), changed([120], lambda row: {"level": "LOUD"})),
    ),
    "silver": Seeded(
        "silver.stg_rides",
        {"a key that stands twice": "unique(event_id)", "a row without its time": "not_null(event_time)"},
        all_of(
            changed([3], lambda row: {"event_id": f"event-{5:030d}"}),
            changed([120], lambda row: {"event_time": None}),
        ),
    ),
    "references": Seeded(
        "silver.stg_payments",
        {
            "payments of no ride": "orphans(ride_event_id) < 5 %",
            "payments of no customer": "orphans(customer_id) < 5 %",
        },
        all_of(
            changed(range(100, 130), lambda row: {"ride_event_id": "none"}),
            changed(range(30), lambda row: {"customer_id": "c2"}),
        ),
    ),
    "sums": Seeded(
        "gold.fct_rides_hourly",
        {
            "an hour lost on the way": "adds_up(count_events) = 0 days off",
            "sums in cents": "adds_up(sum_amount) = 0 days off",
            "a grain that stands twice": "unique(hour_at, event_type)",
            "negative sums": "range(sum_amount) >= 0",
            "an hour that silver lacks too": "hours_missing(hour_at) = 0",
        },
        all_of(
            changed([200], lambda row: {"sum_amount": row["sum_amount"] * 100}),
            changed([260], lambda row: {"sum_amount": -row["sum_amount"]}),
            lambda rows: [*rows, rows[300]],
            without([120, 100, 101]),
        ),
        write={"without": (100, 101)},
    ),
    "a week": Seeded(
        "gold.fct_rides_hourly",
        {"fewer events than a week ago": "week_change(count_events) > -25 and < 100 %"},
        without(range(1, 96, 2)),
        write={"without": range(1, 96, 2)},
    ),
}
