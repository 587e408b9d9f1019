"""A lake for dbt's tests: the tables that others write, filled row by row without Spark."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from tidemark.contracts import read_contracts
from tidemark.ops_tables import SCHEMAS, TIDEMARKS
from tidemark.settings import ROOT

Row = dict[str, Any]
Tables = dict[str, list[Row]]

CONTRACTS = read_contracts(ROOT / "contracts")
FIRST = datetime(2026, 1, 5, 8, tzinfo=UTC)  # when the first chapter's rows were judged
RIDES, SALES = "ride_events", "sales_events"
OTHERS = tuple(sorted(CONTRACTS.keys() - {RIDES, SALES}))

UTC_TIME = pa.timestamp("us", "UTC")
_ENVELOPE = [
    ("_topic", pa.string()),
    ("_partition", pa.int32()),
    ("_offset", pa.int64()),
    ("_kafka_time", UTC_TIME),
    ("_key", pa.binary()),
    ("_value", pa.binary()),
    ("_headers", pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
    ("_schema_id", pa.int32()),
    ("_contract_version", pa.string()),
    ("_errors", pa.list_(pa.string())),
    ("_ingested_at", UTC_TIME),
    ("_judged_at", UTC_TIME),
    ("_ingest_date", pa.date32()),
]
_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": UTC_TIME,
    "date": pa.date32(),
}
_SQL_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": UTC_TIME,
}
_LSN = {"plain": 1, "doubled": 2, "mended": 3, "moving": 4, "settled": 5, "at the tidemark": 6, "late": 0}
_SAID: Mapping[str, Row] = {
    "app_logs": {"service": "api", "level": "ERROR", "message": "no", "host": "h", "trace_id": None},
    "card_payments": {
        "card_id": "card",
        "customer_id": "c",
        "ride_event_id": "plain",
        "amount": 10.5,
        "currency": "EUR",
        "country": "DE",
        "merchant": "rides",
    },
    "customers": {"customer_id": "c", "name": "Ann Lee", "email": "ann@example.com", "country": "DE", "op": "u"},
    "page_views": {"visitor_id": "ann", "page": "/", "referrer": None},
    "sensor_readings": {"sensor_id": "s", "metric": "t", "reading": 21.25},
}


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Give a time of January 2026."""
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


def ride(event_id: str, position: tuple[int, int], event_time: datetime | None, **other: Any) -> Row:
    """Give a bronze row of a ride event."""
    own = {"event_id": event_id, "user_id": f"user of {event_id}", "event_type": "paid", "amount": 0.1}
    return _envelope(RIDES, position) | own | {"_key": event_id.encode(), "event_time": event_time} | other


def sale(sale_id: str, position: tuple[int, int], event_time: datetime, **other: Any) -> Row:
    """Give a bronze row of a sale."""
    own = {"sale_id": sale_id, "product_id": "bread", "quantity": 2, "revenue": 4.2, "customer_id": "c"}
    return _envelope(SALES, position) | own | {"event_time": event_time, "source": "web", "version": "1"} | other


def record(contract: str, name: str, position: tuple[int, int], event_time: datetime | None, **other: Any) -> Row:
    """Give a bronze row of one of the other contracts; records of a name are versions of one."""
    declared = CONTRACTS[contract]
    own = dict.fromkeys(column.name for column in declared.columns) | _SAID[contract]
    own |= {"source_lsn": _LSN[name], "segment": name} if contract == "customers" else {declared.key[0]: name}
    return _envelope(contract, position) | own | {declared.event_time: event_time} | other


def _envelope(topic: str, position: tuple[int, int]) -> Row:
    where = {"_topic": topic, "_partition": position[0], "_offset": position[1], "_kafka_time": FIRST, "_value": b"{}"}
    judged = {"_contract_version": "1.0.0", "_errors": [], "_ingested_at": FIRST, "_judged_at": FIRST}
    return where | judged | {"_headers": [], "_ingest_date": FIRST.date()}


@dataclass
class Lake:
    """The tables that others write: bronze and the tidemarks."""

    root: Path
    proofs: Iterator[datetime] = field(default_factory=lambda: (FIRST + timedelta(days=n) for n in range(100)))

    def append(self, contract: str, rows: Iterable[Row], mode: Any = "append") -> None:
        """Write rows to a bronze table."""
        own = [(column.name, _TYPES[column.logical_type]) for column in CONTRACTS[contract].columns]
        table = pa.Table.from_pylist(list(rows), pa.schema(_ENVELOPE + own))
        write_deltalake(self.root / "bronze" / contract, table, mode=mode, partition_by=["_ingest_date"])

    def judge_again(self, contract: str, predicate: str, new: dict[str, str]) -> None:
        """Change rows in place, as a replay does."""
        changed = DeltaTable(self.root / "bronze" / contract).update(predicate=predicate, updates=new)
        assert changed["num_updated_rows"] == 1

    def leave(self, model: str, rows: list[Row]) -> None:
        """Write a table that the catalog doesn't know."""
        write_deltalake(self.root / model, pa.Table.from_pylist(rows))

    def leave_speed(self, name: str, rows: list[Row], columns: Mapping[str, str]) -> None:
        """Write a table of the speed layer, without its columns that are lists."""
        schema = pa.schema([(column, _SQL_TYPES[kind]) for column, kind in columns.items() if kind in _SQL_TYPES])
        write_deltalake(self.root / "speed" / name, pa.Table.from_pylist(rows, schema))

    def prove(self, contract: str, tidemarks: dict[int, int], topic_id: str = "T1") -> None:
        """Write a proof: the offset of each partition below which everything is accounted for."""
        version = DeltaTable(self.root / "bronze" / contract).version()
        written_at = next(self.proofs)
        common = {"contract": contract, "topic": contract, "topic_id": topic_id, "table_version": version}
        said = {
            "verdict": "proven",
            "certificate_id": str(written_at),
            "complete_through": FIRST,
            "written_at": written_at,
        }
        rows = [common | said | {"partition": part, "tidemark": end} for part, end in tidemarks.items()]
        write_deltalake(self.root / "ops" / "tidemarks", pa.Table.from_pylist(rows, SCHEMAS[TIDEMARKS]), mode="append")

    def tables(self, models: Iterable[str]) -> Tables:
        """Read silver and gold."""
        return {model: self.rows(model) for model in models}

    def rows(self, model: str) -> list[Row]:
        """Read a table, in an order that doesn't depend on its files."""
        rows = DeltaTable(self.root / model).to_pyarrow_table().to_pylist()
        return sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))

    def written(self, model: str) -> dict[str, Any]:
        """Give the metrics of a table's last commit."""
        metrics: dict[str, Any] = DeltaTable(self.root / model).history(1)[0]["operationMetrics"]
        return metrics
