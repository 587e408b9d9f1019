"""Any contract: values made from the types and limits of its columns, so that a new contract needs no model."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

from tidemark.contracts import Column, Contract
from tidemark.domains.event import Domain, Event, Fields
from tidemark.domains.pattern import text_maker
from tidemark.domains.places import Path, is_whole, paths_of, put
from tidemark.errors import TidemarkError

# Gives a value for the moment `at` (epoch ms)
Maker = Callable[[int], Any]

_SPREAD = 1000.0  # how far numbers reach where the contract sets no limit
_ABSENT = 0.1  # the share of records that leave an optional column out
_WORDS = ("amber", "birch", "cedar", "ember", "fjord", "grove", "heron", "indigo", "juniper", "krill", "lagoon")
_LARGEST = 2**53 - 1  # the largest integer that every JSON reader keeps exact


class FromContract:
    """A model of a contract that nobody wrote a model for.

    Every event is new: the columns of the contract's key are unique where their type allows it. Where no column comes
    from the Kafka key, the key is the first of them, so that what is sent twice is in one partition.
    """

    def __init__(self, contract: Contract, random: Random) -> None:
        self._random = random
        key = contract.key
        self._columns = [(each, value_maker(each, random, unique=each.name in key)) for each in contract.columns]
        self._first_key = contract.by_name[key[0]]

    def event(self, now: int, age: int) -> Event:
        """Make one event."""
        at = now - age - int(self._random.random() * 1000)
        fields: Fields = {}
        event = Event(fields, None, [])
        for column, make in self._columns:
            if column.required or self._random.random() >= _ABSENT:
                event = with_value(event, column, (column.wire,), make(at))
        if event.key is None and self._first_key.source == "value":
            event = event._replace(key=str(fields[self._first_key.wire]).encode())
        return event


class Completed:
    """A domain's model plus columns that the contract has and the model doesn't know.

    A delete has no columns but the key, and a tombstone has none: they stay as they are.
    """

    def __init__(self, domain: Domain, contract: Contract, unknown: Sequence[Column], random: Random) -> None:
        self._domain = domain
        self._contract = contract
        paths = paths_of(contract)
        self._columns = [(each, paths.get(each.name), value_maker(each, random)) for each in unknown]

    def event(self, now: int, age: int) -> Event:
        """Let the domain's next thing happen and fill in the rest."""
        event = self._domain.event(now, age)
        if is_whole(self._contract, event):
            for column, path, make in self._columns:
                event = with_value(event, column, path, make(now - age))
        return event


def with_value(event: Event, column: Column, path: Path | None, made: Any) -> Event:
    """Put a column's value into an event, where the contract says that the record carries it."""
    if column.source == "key":
        return event._replace(key=made.encode())
    if column.source == "header":
        event.headers.append((column.wire, made.encode()))
    elif path and event.fields is not None:
        put(event.fields, path, made)
    return event


def value_maker(column: Column, random: Random, unique: bool = False) -> Maker:
    """Say how to make values of a column.

    Raises:
        TidemarkError: no value can meet the column's limits.
    """
    match column.logical_type:
        case "string":
            return _text(column, random, unique)
        case "integer":
            return _integer(column, random, unique)
        case "number":
            return _number(column, random)
        case "boolean":
            return lambda at: random.random() < 0.5
        case "timestamp":
            return lambda at: moment(at, column.unit)
        case "date":
            return lambda at: _utc(at).date().isoformat()


def moment(at: int, unit: str | None) -> int | str:
    """Write a time (epoch ms) as the contract's unit says; without one as ISO 8601 text."""
    match unit:
        case "s":
            return at // 1000
        case "ms":
            return at
        case "us":
            return at * 1000
        case _:
            return _utc(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(column: Column, random: Random, unique: bool) -> Maker:
    longest = column.max_length or 1000
    if column.enum is not None:
        allowed = column.enum
        return lambda at: random.choice(allowed)
    if column.pattern is not None:
        make = text_maker(column, random)
        return lambda at: make()
    if unique or column.name.endswith("_id"):
        # Random letters first, so that a short maxLength cuts off the name and not what makes it unique
        return lambda at: f"{random.getrandbits(64):016x}-{column.name}"[:longest]
    return lambda at: f"{random.choice(_WORDS)}-{random.choice(_WORDS)}"[:longest]


def _integer(column: Column, random: Random, unique: bool) -> Maker:
    spread = _LARGEST if unique else int(_SPREAD)
    low, high = _limits(column, spread)
    first, last = math.ceil(low), math.floor(high)
    if first > last:
        raise TidemarkError(
            f"column {column.name}: no integer is within {low:g} and {high:g}", "widen the contract's limits"
        )
    return lambda at: random.randint(first, last)


def _number(column: Column, random: Random) -> Maker:
    low, high = _limits(column, _SPREAD)
    return lambda at: min(max(round(random.uniform(low, high), 2), low), high)


def _limits(column: Column, spread: float) -> tuple[float, float]:
    low, high = column.minimum, column.maximum
    if low is None and high is None:
        return 0.0, spread
    if low is None:
        return min(0.0, (high or 0.0) - spread), high or 0.0
    return low, low + spread if high is None else high


def _utc(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)
