"""Whether an event keeps the contract, said in Python.

A domain's model knows the contract that it was written for. Once somebody changes the contract (say, a minimum), some
of the model's events are bad, and `tidemark produce` has to know which, or its count of bad records would be wrong.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from tidemark import debezium
from tidemark.contracts import Column, Contract
from tidemark.domains.event import Event

# Gives the name of the first column whose value breaks the contract, or of what else does; None where nothing does
Misfit = Callable[[Event], str | None]
Test = Callable[[Any], bool]

TOMBSTONE, ENVELOPE = "tombstone", "envelope"

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "date": (str,),
}


def misfit_finder(contract: Contract) -> Misfit:
    """Say how to find what in an event breaks the contract."""
    if contract.format != "debezium":
        return _flat_finder(contract, [column.required for column in contract.columns])
    change = _flat_finder(contract, [column.required for column in contract.columns])
    delete = _flat_finder(contract, [debezium.required_of_delete(contract, column) for column in contract.columns])

    def misfit(event: Event) -> str | None:
        if event.fields is None:
            return change(event)
        row = debezium.unwrapped(event.fields)
        if row is None:
            return ENVELOPE
        find = delete if row[debezium.OP] == debezium.DELETE else change
        return find(event._replace(fields=row))

    return misfit


def _flat_finder(contract: Contract, required: Sequence[bool]) -> Misfit:
    tests = [(column, needed, _test(column)) for column, needed in zip(contract.columns, required, strict=True)]
    in_value = [(each.name, each.wire, needed, fits) for each, needed, fits in tests if each.source == "value"]
    beside = [each for each in tests if each[0].source != "value"]
    of_tombstone = None if contract.tombstone == "delete" else TOMBSTONE

    def misfit(event: Event) -> str | None:
        fields = event.fields
        if fields is None:
            return of_tombstone
        for name, wire, needed, fits in in_value:
            found = fields.get(wire)
            if needed if found is None else not fits(found):
                return name
        for column, needed, fits in beside:
            text = _beside(event, column)
            if needed if text is None else not fits(text):
                return column.name
        return None

    return misfit


def _beside(event: Event, column: Column) -> str | None:
    if column.source == "key":
        return None if event.key is None else event.key.decode()
    return next((value.decode() for name, value in event.headers if name == column.wire), None)


def _test(column: Column) -> Test:
    types = _TYPES.get(column.logical_type, (int,) if column.unit else (str,))
    low = float("-inf") if column.minimum is None else column.minimum
    high = float("inf") if column.maximum is None else column.maximum
    if column.logical_type in ("integer", "number"):
        return lambda found: type(found) in types and low <= found <= high
    if column.logical_type == "string":
        return _text_test(column)
    return lambda found: type(found) in types


def _text_test(column: Column) -> Test:
    longest = column.max_length or float("inf")
    if column.enum is None and column.pattern is None:
        return lambda found: type(found) is str and len(found) <= longest
    allowed = frozenset(column.enum or ())
    pattern = re.compile(column.pattern or r"(?s:.*)")

    def fits(found: Any) -> bool:
        if type(found) is not str or len(found) > longest:
            return False
        return pattern.fullmatch(found) is not None and (not allowed or found in allowed)

    return fits
