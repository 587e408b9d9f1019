"""A lake of two weeks for tests of the trust page, written without an engine: tables, proofs and gates' verdicts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from tests.gated import write_hours, write_rides
from tests.seeded import hours, rides
from tidemark.certificates import Origin, PartitionMark, Tidemark, write_tidemark
from tidemark.gate_verdicts import GateVerdict, keep_verdict
from tidemark.settings import Settings

NOW = datetime.now(UTC)
CERTIFICATE = "5f0c2d71-8a7e-4c39-9d55-6f1f3f8f2a10"

_REASONS = ("range:amount", "malformed", "missing:event_id", "future:event_time", "type:amount", "null:user_id")
_SCHEMA = pa.schema(
    [
        ("_topic", pa.string()),
        ("_errors", pa.list_(pa.string())),
        ("_ingest_date", pa.date32()),
    ]
)


def trusted_lake(settings: Settings, of: str = "event_time") -> None:
    """Write all of it: rides are proven and pass, sales are proven and warn, customers were refuted.

    Args:
        of: the column that the gates' one check is about.
    """
    _bronze(settings, "ride_events", per_day=400)
    _bronze(settings, "sales_events", per_day=90, newest=40)
    _bronze(settings, "customers", per_day=20)
    write_rides(settings, rides()[:100])
    write_hours(settings, [{**row, "sum_amount": Decimal(1)} for row in hours()[:48]])
    for contract, verdict in (("ride_events", "proven"), ("sales_events", "proven"), ("customers", "broken")):
        _proof(settings, contract, verdict)
    for number in range(12):
        at = NOW - timedelta(hours=6 * (11 - number), minutes=7)
        for table in ("bronze.ride_events", "silver.stg_rides", "gold.fct_rides_hourly"):
            keep_verdict(settings, verdict_of(table, at, number, "fail" if number == 4 else "pass", of))
        keep_verdict(settings, verdict_of("bronze.sales_events", at, number, "pass" if number < 9 else "warn", of))


def verdict_of(
    table: str, at: datetime, number: int, verdict: str, of: str = "event_time", **changes: Any
) -> GateVerdict:
    """Give a verdict, of one check."""
    check = {
        "check": f"volume_change({of}) > -25 and < 100 %",
        "severity": "warn",
        "observed": "-44 %",
        "verdict": verdict,
    }
    own = {"version": number, "committed_at": at, "rows": 5000 + 40 * number, "contract_version": "1.0.0"}
    own |= {"suite": "0f3a5c7e9b1d2f40", "window": {}, "seconds": 4.0 + number % 5, "checks": (check,)}
    return GateVerdict(**{"table": table, "at": at, "verdict": verdict, **own, **changes})


def _bronze(settings: Settings, contract: str, per_day: int, newest: int = 0) -> None:
    rows = []
    for ago in range(16):
        count = newest if newest and ago == 1 else per_day + per_day // 12 * (ago % 4)
        count = count // 3 if ago == 0 else count
        day = (NOW - timedelta(days=ago)).date()
        bad = [[_REASONS[number % (1 + ago % len(_REASONS))]] for number in range(count // 40 + (6 if ago == 3 else 0))]
        rows += [{"_topic": contract, "_errors": errors, "_ingest_date": day} for errors in [*bad, *[[]] * count]]
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    write_deltalake(settings.table("bronze", contract), table, partition_by=["_ingest_date"])


def _proof(settings: Settings, contract: str, verdict: str) -> None:
    at = NOW - timedelta(minutes=25)
    marks = [PartitionMark(part, 100, at - timedelta(minutes=part)) for part in range(2)]
    write_tidemark(settings, Tidemark(Origin(CERTIFICATE, contract, contract, "id", 0, at), verdict, marks))
