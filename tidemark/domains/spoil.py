"""Ways to break an event: each gives what is sent in its place."""

from collections.abc import Callable
from typing import NamedTuple

from tidemark.contracts import Column, Contract
from tidemark.domains.any import moment
from tidemark.domains.event import Encode, Event, Fields, Headers
from tidemark.domains.places import paths_of, put, without

_TEN_YEARS_MS = 10 * 365 * 86_400_000


class Payload(NamedTuple):
    """What is sent instead of an event."""

    value: bytes | None
    key: bytes | None
    headers: Headers


# Breaks a whole event; the number is the time now (epoch ms)
Spoil = Callable[[Event, int], Payload]
Kinds = dict[str, list[Spoil]]


class Spoiler:
    """Makes ways to break the events of one contract."""

    def __init__(self, contract: Contract, encode: Encode) -> None:
        self._encode = encode
        self._paths = paths_of(contract)
        self.carried = [column for column in contract.columns if column.name in self._paths]

    def value(self, change: Callable[[bytes], bytes | None]) -> Spoil:
        """Change the bytes of the value."""

        def spoil(event: Event, now: int) -> Payload:
            return Payload(change(self._encode(event.fields or {})), event.key, event.headers)

        return spoil

    def fields(self, change: Callable[[Fields], Fields]) -> Spoil:
        """Change the fields before they are written."""

        def spoil(event: Event, now: int) -> Payload:
            return Payload(self._encode(change(event.fields or {})), event.key, event.headers)

        return spoil

    def put(self, column: Column, value: object) -> Spoil:
        """Put something in a column's place."""
        path = self._paths[column.name]
        return self.fields(lambda fields: put(fields, path, value))

    def future(self, column: Column) -> Spoil:
        """Put a time far ahead in a column's place."""
        path = self._paths[column.name]

        def spoil(event: Event, now: int) -> Payload:
            fields = put(event.fields or {}, path, moment(now + _TEN_YEARS_MS, column.unit))
            return Payload(self._encode(fields), event.key, event.headers)

        return spoil

    def missing(self, column: Column) -> Spoil:
        """Leave a column out, wherever it stands."""
        if column.source == "value":
            path = self._paths[column.name]
            return self.fields(lambda fields: without(fields, path))

        def spoil(event: Event, now: int) -> Payload:
            fields, key, headers = event
            if column.source == "key":
                key = None
            else:
                headers = [header for header in headers if header[0] != column.wire]
            return Payload(self._encode(fields or {}), key, headers)

        return spoil
