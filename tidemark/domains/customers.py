"""Customers: the changes of a table that Debezium captures; first a snapshot of it, then what happens to the rows."""

from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Any

from tidemark.domains.change_log import WIRES as LOG_WIRES
from tidemark.domains.change_log import Change, ChangeLog, tombstone
from tidemark.domains.event import Event
from tidemark.domains.people import REGULARS, person

WIRES = LOG_WIRES | {"customer_id", "name", "email", "country", "segment"}

_CREATED, _DELETED = 0.25, 0.1  # the rest of the changes are updates
_SEGMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "new": ("regular", "lapsed"),
        "regular": ("gold", "lapsed", "business"),
        "gold": ("regular", "lapsed"),
        "business": ("lapsed",),
        "lapsed": ("regular",),
    }
)
_RENAMED = ("Berg", "Conti", "Duarte", "Engel", "Fontaine", "Nilsen", "Okoye", "Sato")


class Customers:
    """The table `customers` of one shop.

    A row that the snapshot read had a life before it: a late event is an update from then, which the row read since
    makes out of date. Positions in the log follow the time, so the snapshot of a second run is newer than the first.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._log = ChangeLog("customers", random)
        self._rows: list[dict[str, Any]] = []
        self._known = 0  # the numbers that were given: the snapshot's first
        self._moment = 0
        self._gone: str | None = None

    def event(self, now: int, age: int) -> Event:
        """Let the next change be captured."""
        if age:
            return self._late_update(now - age)
        self._moment = max(self._moment, now - int(self._random.random() * 1000))
        if self._gone:
            event, self._gone = tombstone(_key(self._gone)), None
            return event
        if self._known < REGULARS:
            return self._read()
        drawn = self._random.random()
        if drawn < _CREATED or not self._rows:
            return self._write("c", self._new_row("new"))
        return self._delete() if drawn < _CREATED + _DELETED else self._update()

    def _read(self) -> Event:
        part = {0: "first", REGULARS - 1: "last"}.get(self._known, "true")
        row = self._new_row(self._random.choice(list(_SEGMENTS)))
        return self._log.read(_key(row["customer_id"]), row, self._moment, part)

    def _update(self) -> Event:
        row = self._random.choice(self._rows)
        drawn = self._random.random()
        if drawn < 0.7:
            row["segment"] = self._random.choice(_SEGMENTS[row["segment"]])
        elif drawn < 0.95:
            row["email"] = f"{row['customer_id']}.{self._random.getrandbits(32):08x}@example.com"
        else:
            row["name"] = f"{row['name'].split()[0]} {self._random.choice(_RENAMED)}"
        return self._write("u", row)

    def _delete(self) -> Event:
        place = int(self._random.random() * len(self._rows))
        self._rows[place], self._rows[-1] = self._rows[-1], self._rows[place]
        self._gone = str(self._rows.pop()["customer_id"])
        return self._log.write(Change("d", _key(self._gone)), self._moment)

    def _late_update(self, at: int) -> Event:
        row = _row(int(self._random.random() * REGULARS), self._random.choice(list(_SEGMENTS)))
        return self._log.write_late(Change("u", _key(row["customer_id"]), row), at)

    def _write(self, operation: str, row: dict[str, Any]) -> Event:
        return self._log.write(Change(operation, _key(row["customer_id"]), row), self._moment)

    def _new_row(self, segment: str) -> dict[str, Any]:
        row = _row(self._known, segment)
        self._known += 1
        self._rows.append(row)
        return row


def _key(customer: str) -> dict[str, str]:
    return {"customer_id": customer}


def _row(number: int, segment: str) -> dict[str, Any]:
    who = person(number)
    return {
        "customer_id": who.customer_id,
        "name": who.name,
        "email": who.email,
        "country": who.country,
        "segment": segment,
    }
