"""Debezium's change events, unwrapped as its own ExtractNewRecordState transform does it.

An event is an envelope: the row before and after the change, what was done (`op`), where in the source's log that
stands, and its transaction. Unwrapped, it is one flat row: the columns of the row image by their names (`after`, or
`before` where the row was deleted), and fields of the envelope under names that begin with two underscores: `__op`,
`__source_lsn`, `__transaction_id`. `__deleted` is the text "true" or "false". The envelope may stand in the JSON
converter's `{"schema": …, "payload": …}`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidemark.contracts import Column, Contract

OP, DELETED = "__op", "__deleted"
DELETE = "d"

_SOURCE = "__source_"
_TRANSACTION = ("id", "total_order", "data_collection_order")
_PATHS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {OP: ("op",), "__ts_ms": ("ts_ms",), "__ts_us": ("ts_us",), "__ts_ns": ("ts_ns",)}
    | {f"__transaction_{field}": ("transaction", field) for field in _TRANSACTION}
)
ENVELOPE_NAMES = (*_PATHS, DELETED, f"{_SOURCE}<field>")


def of_envelope(wire: str) -> bool:
    """Tell whether a wire name stands for a field of the envelope, not for a column of the row."""
    return wire.startswith("__")


def envelope_path(wire: str) -> tuple[str, ...] | None:
    """Give where in the envelope a field stands; None for `__deleted`, which is computed, and for what isn't there."""
    if wire.startswith(_SOURCE) and wire != _SOURCE:
        return ("source", wire.removeprefix(_SOURCE))
    return _PATHS.get(wire)


def is_envelope_name(wire: str) -> bool:
    """Tell whether an envelope has a field for this wire name."""
    return wire == DELETED or envelope_path(wire) is not None


def required_of_delete(contract: "Contract", column: "Column") -> bool:
    """Tell whether a delete must have a required column: by default, Postgres logs only the key of a deleted row."""
    beside = column.source != "value" or of_envelope(column.wire)
    return column.required and (beside or column.name in contract.key)


def unwrapped(document: Any) -> dict[str, Any] | None:
    """Give the flat row of an event; None where the document is no envelope, or has no image of its row."""
    envelope = _envelope(document)
    operation = envelope.get("op")
    image = envelope.get("before" if operation == DELETE else "after")
    if not isinstance(operation, str) or not isinstance(image, dict):
        return None
    row = {wire: _at(envelope, path) for wire, path in _PATHS.items()}
    row |= {_SOURCE + field: value for field, value in _object(envelope.get("source")).items()}
    return {**image, **row, DELETED: "true" if operation == DELETE else "false"}


def _envelope(document: Any) -> dict[str, Any]:
    """Take the envelope out of the converter's wrapper, if it is in one."""
    fields = _object(document)
    return _object(fields["payload"]) if fields.keys() == {"schema", "payload"} else fields


def _at(envelope: dict[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = envelope
    for part in path:
        found = _object(found).get(part)
    return found


def _object(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}
