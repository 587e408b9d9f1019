"""What the speed layer's tables and their columns mean, in SQL's types: dbt's sources say it to those who read them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tidemark.contracts import Contract

Columns = Mapping[str, tuple[str, str]]  # name: type, description


class SpeedSource(NamedTuple):
    """A table that a stream keeps, and the contracts that the stream needs."""

    contracts: tuple[str, ...]
    description: str
    columns: Columns


_UPDATED: Columns = {"updated_at": ("timestamp", "When the row was last written.")}
_WRITTEN: Columns = {
    "is_final": ("boolean", "Whether a batch job has computed the row anew; the stream's own are provisional."),
    **_UPDATED,
}
_WINDOW: Columns = {
    "window_start": ("timestamp", "The first moment of the window, by event time."),
    "window_end": ("timestamp", "The first moment after the window."),
}
_PAYMENT: Columns = {
    "payment_id": ("string", "The payment."),
    "event_time": ("timestamp", "When it was paid, UTC."),
    "card_id": ("string", "The card."),
    "customer_id": ("string", "Whose card it is."),
    "amount": ("double", "How much in the currency."),
    "currency": ("string", "Code of the currency by ISO 4217."),
    "country": ("string", "Where the card was used: code by ISO 3166-1."),
    "merchant": ("string", "Who was paid."),
}
_MESSAGES = "array<struct<fingerprint:string,message:string,count_errors:bigint>>"
_ANOMALIES = "array<struct<event_time:timestamp,reading_id:string,reading:double>>"

TABLES: Mapping[str, SpeedSource] = {
    "ride_counts": SpeedSource(
        ("ride_events",),
        "One row per event type and window of one minute (a new one begins every 30 seconds), in event time.",
        {
            "event_type": ("string", "What happened."),
            **_WINDOW,
            "count_events": ("bigint", "Ride events of that type in the window."),
            **_WRITTEN,
        },
    ),
    "product_sales": SpeedSource(
        ("sales_events",),
        "One row per product and window of five minutes, in event time.",
        {
            "product_id": ("string", "What was sold."),
            **_WINDOW,
            "quantity": ("bigint", "Pieces sold in the window; null: more than 64 bits count."),
            "revenue": ("double", "What the customers paid in euros; null: it can't be told."),
            "unique_customers": ("bigint", "Distinct customers, with a relative standard deviation of 5 %."),
            **_WRITTEN,
        },
    ),
    "fraud_alerts": SpeedSource(
        ("card_payments",),
        "One row per payment and rule that it breaks.",
        {
            "payment_id": ("string", "The payment."),
            "rule": ("string", "The rule: velocity or impossible_travel."),
            "card_id": ("string", "The card."),
            "customer_id": ("string", "Whose card it is."),
            "event_time": ("timestamp", "When it was paid, UTC."),
            "country": ("string", "Where the card was used."),
            "count_payments": ("int", "Of velocity: payments of the card within five minutes."),
            "from_country": ("string", "Of impossible travel: where the card was used before."),
            "speed_kmh": ("bigint", "Of impossible travel: the speed that the trip would take."),
            **_WRITTEN,
        },
    ),
    "sensor_anomalies": SpeedSource(
        ("sensor_readings",),
        "One row per sensor, metric and minute that has readings, beside the five minutes before it.",
        {
            "sensor_id": ("string", "Which sensor."),
            "metric": ("string", "What it measures."),
            **_WINDOW,
            "count_readings": ("int", "Readings of the minute."),
            "count_baseline": ("bigint", "Readings of the five minutes before."),
            "baseline_mean": ("double", "Their mean."),
            "baseline_deviation": ("double", "Their standard deviation."),
            "count_anomalies": ("int", "Readings that are far from the mean."),
            "anomalies": (_ANOMALIES, "Those readings, by time."),
            **_WRITTEN,
        },
    ),
    "payments_enriched": SpeedSource(
        ("card_payments", "customers"),
        "One row per payment, with the customer as of when the stream read it.",
        {
            **_PAYMENT,
            "customer_segment": ("string", "What the customer is to the shop; null: not known."),
            "customer_country": ("string", "Where the customer lives; null: not known."),
            "customer_changed_at": ("timestamp", "When the customer was last changed."),
            "is_abroad": ("boolean", "Whether it was made outside of that country; null: not known."),
            **_WRITTEN,
        },
    ),
    "payment_rides": SpeedSource(
        ("card_payments", "ride_events"),
        "One row per payment of a ride, with the ride's own event within 15 minutes of it.",
        {
            **_PAYMENT,
            "ride_event_id": ("string", "The event by which the payment names its ride."),
            "ride_at": ("timestamp", "When that happened; null: not found."),
            "ride_user_id": ("string", "Who rode; null: not found."),
            "ride_amount": ("double", "The ride's price in euros; null: not found."),
            "is_matched": ("boolean", "Whether the event was found."),
            **_WRITTEN,
        },
    ),
    "sessions": SpeedSource(
        ("page_views",),
        "One row per session of a visitor: page views without a pause of half an hour.",
        {
            "session_id": ("string", "Made from the visitor and the start."),
            "visitor_id": ("string", "Who looks."),
            **_WINDOW,
            "last_view_at": ("timestamp", "When the last page was opened."),
            "count_pages": ("bigint", "Pages that were opened."),
            "entry_page": ("string", "The first page."),
            "exit_page": ("string", "The last page."),
            "duration_seconds": ("double", "From the first page to the last."),
            "is_bounce": ("boolean", "Whether one page was all."),
            **_WRITTEN,
        },
    ),
    "log_errors": SpeedSource(
        ("app_logs",),
        "One row per service and minute in which it logged.",
        {
            "service": ("string", "Which service."),
            **_WINDOW,
            "count_logs": ("bigint", "Lines of the minute."),
            "count_errors": ("bigint", "Those of level ERROR or FATAL."),
            "error_rate": ("double", "The share of errors."),
            "top_messages": (_MESSAGES, "The most frequent error messages, without their values."),
            **_WRITTEN,
        },
    ),
}


def speed_sources(contracts: Iterable[Contract], types: Mapping[str, str]) -> dict[str, SpeedSource]:
    """Give every table of the speed layer that there can be with these contracts.

    Args:
        types: SQL's type of each logical type.
    """
    known = sorted(contracts, key=lambda contract: contract.id)
    ids = {contract.id for contract in known}
    found = {name: table for name, table in TABLES.items() if ids.issuperset(table.contracts)}
    for contract in known:
        if contract.silence:
            found[f"silence_{contract.id}"] = _silence(contract, contract.silence.column)
        if contract.change_order:
            found |= _changes(contract, types)
    return found


def _silence(contract: Contract, column: str) -> SpeedSource:
    columns = {
        column: ("string", "What fell silent."),
        "silent_from": ("timestamp", "When its last record happened."),
        "noticed_at": ("timestamp", "When the silence had become too long."),
        **_WRITTEN,
    }
    return SpeedSource((contract.id,), f"One row per silence in {contract.id} that was too long.", columns)


def _changes(contract: Contract, types: Mapping[str, str]) -> dict[str, SpeedSource]:
    deleted = "Whether the row was deleted."
    columns: Columns = {each.name: (types[each.logical_type], each.description) for each in contract.columns}
    columns = {**columns, "is_deleted": ("boolean", deleted), **_UPDATED}
    current, history = "One row per key: its newest change.", "One row per change, each once."
    return {
        contract.id: SpeedSource((contract.id,), current, columns),
        f"{contract.id}_history": SpeedSource((contract.id,), history, columns),
    }
