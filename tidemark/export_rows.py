"""Rows of export files as Kafka records would have them: judged by the contract like any other record.

A row's columns are named as the contract's, or as the topic has them. What can't be read as a row becomes a record
that is no JSON document, and so is quarantined by itself; a file whose columns are others is refused as a whole.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tidemark.contracts import Column, Contract
from tidemark.exports import ExportFile, ExportRefused

HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
RECORDS = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", "UTC")),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("headers", HEADERS),
    ]
)

Row = Mapping[str, Any]

_AT_ONCE = 20_000
_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000}  # of a second


def records(file: ExportFile, contract: Contract, at: datetime) -> Iterator[pa.Table]:
    """Read a file's rows as Kafka records, some at a time.

    Args:
        at: the time that stands for Kafka's; the same for each reading of the file.

    Raises:
        ExportRefused: it is cut short, or its columns are not the contract's.
    """
    read = {".parquet": _parquet, ".jsonl": _json_lines, ".csv": _csv}[file.path.suffix]
    number = 0
    for rows in read(file, contract):
        values = [_record(row, contract) for row in rows]
        columns = list(zip(*values, strict=True)) or [(), (), ()]
        offsets = range(number, number + len(rows))
        number += len(rows)
        same = [[each] * len(rows) for each in (file.topic, 0)]
        yield pa.table([*same, offsets, [at] * len(rows), *columns], schema=RECORDS)


def _record(row: Row | bytes, contract: Contract) -> tuple[bytes | None, bytes, Any]:
    """Give a row's key, value and headers."""
    if isinstance(row, bytes):
        return None, row, None
    parts: dict[str, dict[str, Any]] = {"key": {}, "header": {}, "value": {}}
    for column in contract.columns:
        for name in dict.fromkeys((column.name, column.wire)):
            if name in row:
                parts[column.source][column.wire] = _wired(column, row[name])
    key = next((_text(value) for value in parts["key"].values() if value is not None), None)
    headers = [{"key": name, "value": _text(value)} for name, value in parts["header"].items() if value is not None]
    return key, json.dumps(parts["value"], default=str).encode(), headers or None


def _wired(column: Column, value: Any) -> Any:
    """Give a value as the topic's JSON has it: times in the contract's unit, or as text."""
    if isinstance(value, datetime) and column.unit:
        since = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        micros = (since - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND
        return micros * _UNITS[column.unit] // 1_000_000
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return value.isoformat() if isinstance(value, date) else value


_MICROSECOND = datetime.resolution


def _text(value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")


def _json_lines(file: ExportFile, _: Contract) -> Iterator[list[Row | bytes]]:
    rows: list[Row | bytes] = []
    with file.path.open("rb") as lines:
        for line in lines:
            rows.append(_document(line.rstrip(b"\r\n")))
            if len(rows) == _AT_ONCE:
                yield rows
                rows = []
    yield rows


def _document(line: bytes) -> Row | bytes:
    try:
        found = json.loads(line.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return line
    return found if isinstance(found, dict) else line


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _csv(file: ExportFile, contract: Contract) -> Iterator[list[Row | bytes]]:
    with file.path.open("rb") as raw:
        raw.seek(0, io.SEEK_END)
        raw.seek(max(0, raw.tell() - 1))
        if raw.read(1) not in (b"\n", b"\r"):
            raise ExportRefused(f"{file.path}: does not end with a line end: it may be cut short", "write it whole")
    by_name = {name: column for column in contract.columns for name in (column.wire, column.name)}
    with file.path.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        reader = csv.reader(lines)
        names = next(reader, [])
        _check_columns(file, contract, names)
        rows: list[Row | bytes] = []
        for fields in reader:
            rows.append(_csv_row(fields, names, by_name))
            if len(rows) == _AT_ONCE:
                yield rows
                rows = []
        yield rows


def _csv_row(fields: Sequence[str], names: Sequence[str], by_name: Mapping[str, Column]) -> Row | bytes:
    whole = ",".join(fields).encode("utf-8", "surrogateescape")
    if len(fields) != len(names) or any("\udc80" <= letter <= "\udcff" for field in fields for letter in field):
        return whole
    pairs = zip(names, fields, strict=True)
    return {name: _typed(by_name[name], field) for name, field in pairs if field != ""}


def _typed(column: Column, text: str) -> Any:
    """Read a CSV field as its column's type; one that is none stays text, which the judge then finds."""
    if column.logical_type == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if column.logical_type == "timestamp" and column.unit and not text.lstrip("-").isdecimal():
        return _or_text(datetime.fromisoformat, text)
    if column.logical_type == "integer" or (column.logical_type == "timestamp" and column.unit):
        return _or_text(int, text)
    return _or_text(float, text) if column.logical_type == "number" else text


def _or_text(read: Any, text: str) -> Any:
    try:
        return read(text)
    except ValueError:
        return text


def _parquet(file: ExportFile, contract: Contract) -> Iterator[list[Row | bytes]]:
    try:
        with pq.ParquetFile(file.path) as opened:
            _check_columns(file, contract, opened.schema_arrow.names)
            for batch in opened.iter_batches(_AT_ONCE):
                yield batch.to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise ExportRefused(f"{file.path}: is no whole Parquet file: {error}", "write it again") from None


def _check_columns(file: ExportFile, contract: Contract, names: Sequence[str]) -> None:
    allowed = {name for column in contract.columns for name in (column.name, column.wire)}
    required = [column for column in contract.columns if column.required]
    lacking = [column.name for column in required if not {column.name, column.wire} & set(names)]
    unknown = sorted(set(names) - allowed)
    twice = sorted(name for name in set(names) if list(names).count(name) > 1)
    for what, found in (("lacks", lacking), ("has unknown", unknown), ("has twice", twice)):
        if found:
            raise ExportRefused(
                f"{file.path}: {what} columns {', '.join(found)}",
                f"allowed are {', '.join(column.name for column in contract.columns)}; required are "
                f"{', '.join(column.name for column in required)}",
            )
