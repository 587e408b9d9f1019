"""Where the columns of a contract stand in an event's fields: side by side, or in Debezium's envelope."""

from tidemark import debezium
from tidemark.contracts import Column, Contract
from tidemark.domains.event import Event, Fields

Path = tuple[str, ...]

_IMAGE = "after"


def paths_of(contract: Contract) -> dict[str, Path]:
    """Give the path of every column that stands in the fields of a whole event, by the column's name."""
    in_value = [column for column in contract.columns if column.source == "value"]
    paths = {column.name: _path(contract, column) for column in in_value}
    return {name: path for name, path in paths.items() if path}


def put(fields: Fields, path: Path, value: object) -> Fields:
    """Put a value at a path, in place; give the fields."""
    _around(fields, path)[path[-1]] = value
    return fields


def without(fields: Fields, path: Path) -> Fields:
    """Take away what is at a path, in place; give the fields."""
    _around(fields, path).pop(path[-1], None)
    return fields


def is_whole(contract: Contract, event: Event) -> bool:
    """Tell whether an event has all its columns: a tombstone has none, and a delete of Debezium's the key only."""
    if event.fields is None:
        return False
    return contract.format != "debezium" or event.fields.get(_IMAGE) is not None


def _around(fields: Fields, path: Path) -> Fields:
    """Give the object that has the last part of a path; one that is null (a snapshot's transaction) becomes one."""
    for part in path[:-1]:
        fields[part] = fields.get(part) or {}
        fields = fields[part]
    return fields


def _path(contract: Contract, column: Column) -> Path | None:
    if contract.format != "debezium":
        return (column.wire,)
    return debezium.envelope_path(column.wire) if debezium.of_envelope(column.wire) else (_IMAGE, column.wire)
