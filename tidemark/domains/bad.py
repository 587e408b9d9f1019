"""Bad records, of the kinds that are seen: each one breaks the contract that it is made from, and only just.

A kind is listed only where the contract has something that it breaks, so every record made here is quarantined.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import cycle
from typing import NamedTuple

import orjson

from tidemark.contracts import Column, Contract
from tidemark.domains.any import moment
from tidemark.domains.event import Event, Headers

_TEN_YEARS_MS = 10 * 365 * 86_400_000
_LONGEST = 100_000  # a maxLength beyond this isn't broken: Kafka itself refuses records above about 1 MB
_NESTED = b"[" * 500 + b"]" * 500
_WRONG_TYPE: Mapping[str, bytes] = {
    "string": b'{"is":"an object"}',
    "integer": b'"a few"',
    "number": b'"a lot"',
    "boolean": b'"perhaps"',
    "timestamp": b'"around noon"',
    "date": b'"last Friday"',
}


class Payload(NamedTuple):
    """What is sent instead of an event."""

    value: bytes | None
    key: bytes | None
    headers: Headers


# Breaks an event; the number is the time now (epoch ms)
Spoil = Callable[[Event, int], Payload]


def bad_kinds(contract: Contract) -> dict[str, list[Spoil]]:
    """List how records of the contract can be bad: for each kind, the ways (one a column) to be so."""
    carried = [column for column in contract.columns if column.source == "value"]
    kinds = _kinds_of_value(contract) | _kinds_of_columns(carried)
    kinds |= {
        "missing": [_missing(column) for column in contract.columns if column.required],
        "null": [_with(column, b"null") for column in carried if column.required],
        "future": [_future(contract.by_name[contract.event_time])],
    }
    return {kind: ways for kind, ways in kinds.items() if ways}


def in_turn(kinds: Mapping[str, Iterable[Spoil]]) -> Iterator[tuple[str, Spoil]]:
    """Go round all kinds for ever; each time a kind's turn comes, its next way is taken."""
    rounds = {kind: cycle(ways) for kind, ways in kinds.items()}
    for kind in cycle(rounds):
        yield kind, next(rounds[kind])


def _kinds_of_value(contract: Contract) -> dict[str, list[Spoil]]:
    """List what can be wrong with a value whatever its columns are."""
    kinds: dict[str, list[Spoil]] = {
        "truncated": [_value(lambda good: good[: len(good) // 2]), _value(lambda good: good[:-1])],
        "trailing_garbage": [_value(lambda good: good + b" }}")],
        "two_objects": [_value(lambda good: good + b"\n" + good)],
        "empty": [_value(lambda good: b"")],
        "not_an_object": [_value(lambda good: b"[1,2,3]"), _value(lambda good: b"42")],
    }
    if contract.tombstone == "quarantine":
        kinds["tombstone"] = [_value(lambda good: None)]
    return kinds


def _kinds_of_columns(carried: list[Column]) -> dict[str, list[Spoil]]:
    """List what can be wrong with the columns that the value carries."""
    numbers = [column for column in carried if column.logical_type == "number"]
    integers = [column for column in carried if column.logical_type == "integer"]
    texts = [column for column in carried if column.logical_type == "string"]
    return {
        "wrong_type": [_with(column, _WRONG_TYPE[column.logical_type]) for column in carried],
        "number_for_text": [_with(column, b"12345") for column in texts],
        "nested": [_with(column, _NESTED) for column in carried],
        "invalid_utf8": [_with(column, b'"\xc3\x28\xff"') for column in texts],
        "nan": [_with(column, b"NaN") for column in numbers],
        "infinity": [_with(column, b"-Infinity") for column in numbers],
        "overflow": [_with(column, b"1e400") for column in numbers] + [_with(column, b"1" * 30) for column in integers],
        "fraction": [_with(column, b"1.5") for column in integers],
        "below_minimum": [
            _with(each, b"%d" % (math.floor(each.minimum) - 1)) for each in carried if each.minimum is not None
        ],
        "above_maximum": [
            _with(each, b"%d" % (math.ceil(each.maximum) + 1)) for each in carried if each.maximum is not None
        ],
        "too_long": [
            _with(each, b'"%s"' % (b"x" * ((each.max_length or 0) + 1))) for each in texts if _breakable(each)
        ],
        "not_in_enum": [_with(each, orjson.dumps(max(each.enum, key=len) + "_x")) for each in texts if each.enum],
        "no_match": [_with(each, orjson.dumps(text)) for each in texts for text in _mismatches(each)],
    }


def _value(change: Callable[[bytes], bytes | None]) -> Spoil:
    def spoil(event: Event, now: int) -> Payload:
        return Payload(change(orjson.dumps(event.fields)), event.key, event.headers)

    return spoil


def _with(column: Column, raw: bytes) -> Spoil:
    """Put JSON text, however wrong, in a column's place."""

    def spoil(event: Event, now: int) -> Payload:
        fields = {**event.fields, column.wire: orjson.Fragment(raw)}
        return Payload(orjson.dumps(fields), event.key, event.headers)

    return spoil


def _missing(column: Column) -> Spoil:
    def spoil(event: Event, now: int) -> Payload:
        fields, key, headers = event
        if column.source == "key":
            key = None
        elif column.source == "header":
            headers = [header for header in headers if header[0] != column.wire]
        else:
            fields = {name: value for name, value in fields.items() if name != column.wire}
        return Payload(orjson.dumps(fields), key, headers)

    return spoil


def _future(column: Column) -> Spoil:
    def spoil(event: Event, now: int) -> Payload:
        fields = {**event.fields, column.wire: moment(now + _TEN_YEARS_MS, column.unit)}
        return Payload(orjson.dumps(fields), event.key, event.headers)

    return spoil


def _breakable(column: Column) -> bool:
    return column.max_length is not None and column.max_length <= _LONGEST


def _mismatches(column: Column) -> list[str]:
    """Find a text that does not match the column's pattern; none where everything does."""
    if column.pattern is None:
        return []
    candidates = ("no match", "~", "0", "-", "\u2603", "")
    return [text for text in candidates if not re.fullmatch(column.pattern, text)][:1]
