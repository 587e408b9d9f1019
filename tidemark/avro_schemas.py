"""The Avro schema that a contract says: what its records are written with, and read as."""

from typing import Any

from tidemark.contracts import Column, Contract

NAMESPACE = "tidemark"

_TYPES = {"string": "string", "integer": "long", "number": "double", "boolean": "boolean"}
_TIMESTAMPS = {"ms": "timestamp-millis", "us": "timestamp-micros"}


def avro_schema(contract: Contract) -> dict[str, Any]:
    """Give the schema of the record's value: a field for every column in it, by its wire name."""
    return {
        "type": "record",
        "name": contract.id,
        "namespace": NAMESPACE,
        "doc": contract.description,
        "fields": [_field(column) for column in contract.columns if column.source == "value"],
    }


def _field(column: Column) -> dict[str, Any]:
    described = {"doc": column.description} if column.description else {}
    if column.required:
        return {"name": column.wire, "type": _type(column), **described}
    # Null comes first in the union: a default is of the first type
    return {"name": column.wire, "type": ["null", _type(column)], "default": None, **described}


def _type(column: Column) -> str | dict[str, str]:
    if column.logical_type == "date":
        return {"type": "int", "logicalType": "date"}
    if column.logical_type != "timestamp":
        return _TYPES[column.logical_type]
    if column.unit in _TIMESTAMPS:
        return {"type": "long", "logicalType": _TIMESTAMPS[column.unit]}
    # Avro has no seconds; without a unit it is ISO 8601 text, as in JSON
    return "long" if column.unit else "string"
