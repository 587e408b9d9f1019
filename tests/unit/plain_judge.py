"""A judge of made records that shares no code with what makes them."""

import io
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import fastavro
import orjson

from tidemark.avro_schemas import avro_schema
from tidemark.contracts import Column, Contract

NOW = 1_750_000_000_000
_HEAD = b"\x00\x00\x00\x00\x07"
_PARSED: dict[str, Any] = {}  # by contract: it takes longer than reading a record


def encoder(contract: Contract) -> Callable[[dict[str, Any]], bytes]:
    """Give what writes the fields: JSON, or a frame of Avro whose schema has the id 7."""
    if contract.format != "avro":
        return orjson.dumps
    schema = _schema(contract)

    def encode(fields: dict[str, Any]) -> bytes:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, fields)
        return _HEAD + body.getvalue()

    return encode


def document_of(value: bytes, contract: Contract) -> Any:
    """Read a value; unwrap it where it is an envelope.

    Raises:
        ValueError: it is no value of the contract's format.
    """
    if contract.format == "avro":
        return _avro(value, contract)
    document = json.loads(value.decode(), parse_constant=_refuse, parse_float=_finite)
    return _unwrapped(document) if contract.format == "debezium" else document


def broken(record: Any, contract: Contract) -> str | None:
    """Say what in a record breaks the contract."""
    if record.value is None:
        return None if contract.tombstone == "delete" else "tombstone"
    try:
        document = document_of(record.value, contract)
    except (ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    if not isinstance(document, dict):
        return "not an object"
    for column in contract.columns:
        problem = _problem(column, _found(column, record, document), _is_required(column, contract, document))
        if problem:
            return problem
    return None


def _found(column: Column, record: Any, document: dict[str, Any]) -> Any:
    if column.source == "key":
        return None if record.key is None else record.key.decode()
    if column.source == "header":
        return {name: value.decode() for name, value in record.headers}.get(column.wire)
    return document.get(column.wire)


def _is_required(column: Column, contract: Contract, document: dict[str, Any]) -> bool:
    deleted = contract.format == "debezium" and document["__op"] == "d"
    of_image = column.source == "value" and not column.wire.startswith("__") and column.name not in contract.key
    return column.required and not (deleted and of_image)


def _avro(value: bytes, contract: Contract) -> Any:
    if value[:5] != _HEAD:
        raise ValueError(f"a head of {value[:5]!r}")
    body = io.BytesIO(value[5:])
    try:
        document = fastavro.schemaless_reader(body, _schema(contract), None)
    except (EOFError, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"cut short: {error}") from None
    if body.read():
        raise ValueError("something behind the body")
    return document


def _schema(contract: Contract) -> Any:
    if contract.id not in _PARSED:
        _PARSED[contract.id] = fastavro.parse_schema(avro_schema(contract))
    return _PARSED[contract.id]


def _unwrapped(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict) or "op" not in document:
        raise ValueError("not an envelope")
    image = document.get("before") if document["op"] == "d" else document.get("after")
    if not isinstance(image, dict):
        raise ValueError("no image")
    source, transaction = document.get("source") or {}, document.get("transaction") or {}
    flat = {"__op": document["op"]} | {f"__source_{name}": value for name, value in source.items()}
    return image | flat | {f"__transaction_{name}": value for name, value in transaction.items()}


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _finite(text: str) -> float:
    return float(text) if float(text) not in (float("inf"), float("-inf")) else _refuse(text)


def _problem(column: Column, found: Any, required: bool) -> str | None:
    if found is None:
        return f"no {column.name}" if required else None
    try:
        return None if _is_allowed(column, found) else f"{column.name}: {found!r}"
    except (TypeError, ValueError, OverflowError) as error:
        return f"{column.name}: {found!r}: {error}"


def _is_allowed(column: Column, found: Any) -> bool:
    if column.logical_type in ("integer", "number"):
        is_type = (type(found) is int and abs(found) < 2**63) or (column.logical_type, type(found)) == ("number", float)
        low = float("-inf") if column.minimum is None else column.minimum
        high = float("inf") if column.maximum is None else column.maximum
        return is_type and low <= found <= high
    if column.logical_type == "timestamp":
        return _time(column, found) <= datetime.fromtimestamp(NOW / 1000, UTC)
    if column.logical_type == "date":
        return isinstance(found, date) or bool(date.fromisoformat(found))
    if column.logical_type == "boolean":
        return type(found) is bool
    fits = re.fullmatch(column.pattern or "(?s).*", found) is not None and len(found) <= (column.max_length or 1000)
    return fits and (column.enum is None or found in column.enum)


def _time(column: Column, found: Any) -> datetime:
    if isinstance(found, datetime):  # fastavro knows the unit
        return found
    if column.unit is None:
        return datetime.fromisoformat(found)
    return datetime.fromtimestamp(found / {"s": 1, "ms": 1000, "us": 1_000_000}[column.unit], UTC)
