"""Tables for tests of gates, written without Spark, and gates run on them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, write_deltalake
from pyspark.sql import SparkSession

from expectations.judging import judge_version
from expectations.pinned import pinned
from expectations.report import Judged
from expectations.suites import gated_table
from tidemark.bronze import POSITION
from tidemark.contracts import read_contracts
from tidemark.ledger import Label
from tidemark.settings import Settings

Row = dict[str, Any]

BRONZE = "bronze.ride_events"

_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}

_ENVELOPE = {
    "_topic": pa.string(),
    "_partition": pa.int32(),
    "_offset": pa.int64(),
    "_kafka_time": pa.timestamp("us", tz="UTC"),
    "_value": pa.binary(),
    "_errors": pa.list_(pa.string()),
}


def ride(number: int, **changes: Any) -> Row:
    """Give a good ride, with changes."""
    at = changes.get("event_time") or datetime.now(UTC) - timedelta(seconds=5)
    return {
        "_topic": "ride_events",
        "_partition": 0,
        "_offset": number,
        "_kafka_time": at,
        "_value": b"{}",
        "_errors": [],
        "event_id": f"e{number}",
        "user_id": "u1",
        "event_type": "paid",
        "amount": 2.5,
        "event_time": at,
        **changes,
    }


def quarantined(number: int) -> Row:
    """Give a quarantined ride: all its columns are null."""
    nothing: Row = dict.fromkeys(("event_id", "user_id", "event_type", "amount", "event_time"))
    return ride(number, _errors=["malformed"], **nothing)


def clean_rides() -> list[Row]:
    """Give 20 good rides, a quarantined one, and a tombstone."""
    return [*map(ride, range(20)), quarantined(20), ride(21, _value=None, user_id=None)]


def write_bronze(settings: Settings, contract: str, rows: Iterable[Row], without: str = "", said: int = -1) -> None:
    """Append rows to a bronze table, with a label.

    Args:
        said: how many offsets the label says that they are; -1: as many as there are.
    """
    rows = list(rows)
    columns = read_contracts(settings.contracts_dir)[contract].columns
    types = _ENVELOPE | {column.name: _TYPES[column.logical_type] for column in columns if column.name != without}
    offsets = {0: (0, len(rows) if said < 0 else said)}
    label = Label("ingest", f"bronze_{contract}", 0, "check", contract, "id", offsets, "1.0.0")
    _write(settings.table("bronze", contract), types, rows, label)


def write_rides(settings: Settings, rows: Iterable[Row]) -> None:
    """Append rows to silver's table of rides."""
    write_silver(settings, "stg_rides", "ride_events", rows)


def write_silver(settings: Settings, name: str, contract: str, rows: Iterable[Row]) -> None:
    """Append rows to the silver table of a contract."""
    columns = read_contracts(settings.contracts_dir)[contract].columns
    types = {column.name: _TYPES[column.logical_type] for column in columns}
    _write(settings.table("silver", name), types | {name: _ENVELOPE[name] for name in POSITION}, rows)


def write_hours(settings: Settings, rows: Iterable[Row]) -> None:
    """Append rows to gold's table of rides per hour."""
    types = {
        "hour_at": pa.timestamp("us", tz="UTC"),
        "event_type": pa.string(),
        "count_events": pa.int64(),
        "count_users": pa.int64(),
        "sum_amount": pa.decimal128(38, 6),
    }
    _write(settings.table("gold", "fct_rides_hourly"), types, rows)


def write_table(settings: Settings, name: str, rows: Iterable[Row]) -> None:
    """Append rows to a table, with the types that their values have.

    Args:
        name: `<layer>.<table>`.
    """
    rows = list(rows)
    _write(
        settings.table(*name.split(".", 1)), {each.name: each.type for each in pa.Table.from_pylist(rows).schema}, rows
    )


def _write(path: str, types: Mapping[str, Any], rows: Iterable[Row], label: Label | None = None) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(list(types.items()))
    kept = [{name: row[name] for name in types} for row in rows]
    table = pa.Table.from_pylist(kept, schema=schema)
    metadata = CommitProperties(custom_metadata={"userMetadata": label.to_json()}) if label else None
    write_deltalake(path, table, mode="append", commit_properties=metadata)


@contextmanager
def interpreted(spark: SparkSession) -> Iterator[SparkSession]:
    """Let Spark compile nothing: for tiny tables that costs more than it saves."""
    own = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
    before = {name: spark.conf.get(name) for name in own}
    for name, value in own.items():
        spark.conf.set(name, value)
    yield spark
    for name, was in before.items():
        spark.conf.set(name, str(was))


def judged_now(spark: SparkSession, settings: Settings, name: str) -> Judged:
    """Run a table's gate in this process."""
    layer, _, own_name = name.partition(".")
    table = gated_table(layer, own_name, read_contracts(settings.contracts_dir))
    return judge_version(spark, settings, table, pinned(settings, table))


def not_met(judged: Judged) -> set[str]:
    """Name the checks that failed or warned."""
    return {finding.check for finding in judged.verdict.findings if finding.verdict != "pass"}


def failed(judged: Judged) -> dict[str, str]:
    """Give the checks that failed, with their reasons."""
    return {finding.check: finding.reason for finding in judged.verdict.with_verdict("fail")}


def page(judged: Judged) -> str:
    """Read the report of exactly this judgement."""
    assert judged.report is not None
    return Path(judged.report.removeprefix("file://")).read_text()
