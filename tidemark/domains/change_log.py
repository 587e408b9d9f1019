"""Debezium's connector for Postgres: the events that it writes of one table."""

from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple

import orjson

from tidemark import debezium
from tidemark.contracts import Column, Contract
from tidemark.domains.any import Maker, value_maker, with_value
from tidemark.domains.event import Event, Fields
from tidemark.domains.places import Path, paths_of

_SOURCE = ("version", "connector", "name", "ts_ms", "snapshot", "db", "sequence", "schema", "table", "txId", "lsn")
WIRES = frozenset(
    {
        *(debezium.OP, debezium.DELETED, "__ts_ms"),
        *(f"__source_{field}" for field in _SOURCE),
        *(f"__transaction_{field}" for field in ("id", "total_order", "data_collection_order")),
    }
)

_POSITIONS_A_MS = 4096  # how much the log grows: times this, the time now stays a number that JSON keeps exact
_STEP, _STEPS = 8, 7  # a change takes 8 to 56 of them; late ones stand on odd positions, so that none is taken twice
_GOES_ON = 0.3  # how often the next change is of the same transaction
_ABSENT = 0.1

Row = Mapping[str, Any]


class Change(NamedTuple):
    """What is done to a row; without the row it is a delete, of which Postgres logs the key only."""

    operation: str
    key: Row
    row: Row | None = None


class ChangeLog:
    """The log of one table. Positions rise with the time, in later runs too, and strictly but for late changes."""

    def __init__(self, table: str, random: Random) -> None:
        self._table = table
        self._random = random
        self._position = 0
        self._transactions = 0
        self._transaction = ""
        self._order = 0

    def read(self, key: Row, row: Row, at: int, snapshot: str) -> Event:
        """Read a row for a snapshot, of which it is the first, the last or just true."""
        return self._event(Change("r", key, row), self._source(at, self._next_position(at), snapshot), None)

    def write(self, change: Change, at: int) -> Event:
        """Log a change, of a transaction of its own or of the last one's."""
        position = self._next_position(at)
        if not self._transaction or self._random.random() >= _GOES_ON:
            self._transactions += 1
            self._transaction, self._order = f"{self._transactions}:{position}", 0
        self._order += 1
        return self._event(change, self._source(at, position), _block(self._transaction, self._order))

    def write_late(self, change: Change, at: int) -> Event:
        """Log a change that stands where the log was at that time, and comes only now."""
        position = at * _POSITIONS_A_MS + (int(self._random.random() * _POSITIONS_A_MS) | 1)
        self._transactions += 1
        self._transaction = ""
        return self._event(change, self._source(at, position), _block(f"{self._transactions}:{position}", 1))

    def _next_position(self, at: int) -> int:
        step = _STEP * (1 + int(self._random.random() * _STEPS))
        self._position = max(self._position + step, at * _POSITIONS_A_MS)
        return self._position

    def _event(self, change: Change, source: Fields, transaction: Fields | None) -> Event:
        fields = {
            "before": dict(change.key) if change.row is None else None,
            "after": None if change.row is None else dict(change.row),
            "source": source,
            "op": change.operation,
            "ts_ms": source["ts_ms"] + int(self._random.random() * 200),
            "transaction": transaction,
        }
        return Event(fields, _key(change.key), [])

    def _source(self, at: int, position: int, snapshot: str = "false") -> Fields:
        return {
            "version": "2.7.4.Final",
            "connector": "postgresql",
            "name": "shop",
            "ts_ms": at,
            "snapshot": snapshot,
            "db": "shop",
            "sequence": f'[null,"{position}"]',
            "schema": "public",
            "table": self._table,
            "txId": self._transactions,
            "lsn": position,
        }


class Inserts:
    """A model of a Debezium contract that nobody wrote a model for: rows are created, each with a new key."""

    def __init__(self, contract: Contract, random: Random) -> None:
        self._random = random
        self._log = ChangeLog(contract.id, random)
        key, paths = contract.key, paths_of(contract)
        self._row: list[tuple[Column, Maker]] = []
        self._others: list[tuple[Column, Path | None, Maker]] = []
        for column in contract.columns:
            make = value_maker(column, random, unique=column.name in key)
            if column.source != "value" or (debezium.of_envelope(column.wire) and column.wire not in WIRES):
                self._others.append((column, paths.get(column.name), make))
            elif column.wire not in WIRES:
                self._row.append((column, make))
        self._key = [contract.by_name[name].wire for name in key]

    def event(self, now: int, age: int) -> Event:
        """Create a row."""
        at = now - age - int(self._random.random() * 1000)
        row = {column.wire: make(at) for column, make in self._row if self._is_there(column)}
        change = Change("c", {wire: row[wire] for wire in self._key if wire in row}, row)
        event = self._log.write_late(change, at) if age else self._log.write(change, at)
        for column, path, make in self._others:
            if self._is_there(column):
                event = with_value(event, column, path, make(at))
        return event

    def _is_there(self, column: Column) -> bool:
        return column.required or self._random.random() >= _ABSENT


def tombstone(key: Row) -> Event:
    """Let Kafka forget a deleted key."""
    return Event(None, _key(key), [])


def _key(key: Row) -> bytes:
    return orjson.dumps(dict(key))


def _block(transaction: str, order: int) -> Fields:
    return {"id": transaction, "total_order": order, "data_collection_order": order}
