"""Whether an event keeps the contract, said in Python.

A domain's model knows the contract that it was written for. Once somebody changes the contract (say, a minimum), some
of the model's events are bad, and `tidemark produce` has to know which, or its count of bad records would be wrong.
"""

import re
from collections.abc import Callable
from typing import Any

from tidemark.contracts import Column, Contract
from tidemark.domains.event import Event

# Gives the name of the first column whose value breaks the contract, None where none does
Misfit = Callable[[Event], str | None]
Test = Callable[[Any], bool]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "date": (str,),
}


def misfit_finder(contract: Contract) -> Misfit:
    """Say how to find what in an event breaks the contract."""
    in_value = [
        (each.name, each.wire, each.required, _test(each)) for each in contract.columns if each.source == "value"
    ]
    beside = [(each, _test(each)) for each in contract.columns if each.source != "value"]

    def misfit(event: Event) -> str | None:
        for name, wire, required, fits in in_value:
            found = event.fields.get(wire)
            if required if found is None else not fits(found):
                return name
        for column, fits in beside:
            text = _beside(event, column)
            if column.required if text is None else not fits(text):
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
