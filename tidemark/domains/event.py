"""What a domain model gives: an event, before it is a Kafka record."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

Headers = list[tuple[str, bytes]]
Fields = dict[str, Any]
# Writes an event's fields as the value of a Kafka record
Encode = Callable[[Fields], bytes]


class Event(NamedTuple):
    """One good event: the fields of its value (None: a tombstone), its Kafka key and its Kafka headers."""

    fields: Fields | None
    key: bytes | None
    headers: Headers


class Domain(Protocol):
    """A small model of something that happens."""

    def event(self, now: int, age: int) -> Event:
        """Let the next thing happen `age` ms before `now` (epoch ms)."""
        ...
