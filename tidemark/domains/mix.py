"""A stream of records as they come in life: mostly good, some bad, some sent again, some late.

Pure: the same contract, mix, seed and times give the same records.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log
from random import Random
from typing import NamedTuple

import orjson

from tidemark.contracts import Contract
from tidemark.domains import domain_of
from tidemark.domains.bad import bad_kinds, in_turn
from tidemark.domains.event import Encode, Event, Headers
from tidemark.domains.misfit import misfit_finder
from tidemark.domains.places import is_whole
from tidemark.errors import TidemarkError

_REMEMBERED = 1000  # a record is sent again while it is one of this many last ones
_HELD = 1000  # events that wait for their turn, since they can't be spoilt
_SECOND_MS = 1000
_LATE_FROM, _LATE_TO = 2 * 60 * _SECOND_MS, 6 * 3600 * _SECOND_MS


@dataclass(frozen=True)
class Mix:
    """What share of the records is bad, is sent again, is late: each from 0 to 1, and together at most 1."""

    bad: float = 0.0
    duplicate: float = 0.0
    late: float = 0.0

    def __post_init__(self) -> None:
        for name, share in (("bad", self.bad), ("duplicate", self.duplicate), ("late", self.late)):
            if not 0 <= share <= 1:
                raise TidemarkError(f"--{name}-rate: found {share:g}; allowed is 0 to 1", "2 % is 0.02")
        total = self.bad + self.duplicate + self.late
        if total > 1 + 1e-9:
            raise TidemarkError(
                f"--bad-rate, --duplicate-rate and --late-rate: together {total:g}; allowed is at most 1"
            )


class Record(NamedTuple):
    """A Kafka record and what is known of it: how it is bad (None: good), whether it is late or sent again."""

    value: bytes | None
    key: bytes | None
    headers: Headers
    bad: str | None = None
    late: bool = False
    again: bool = False


class Records:
    """An endless supply of records of one contract."""

    def __init__(self, contract: Contract, mix: Mix, seed: int, encode: Encode = orjson.dumps) -> None:
        self.contract = contract
        self.seed = seed
        self._random = Random(seed)
        self._domain = domain_of(contract, self._random, seed)
        self._encode = encode
        self._misfit = misfit_finder(contract)
        self._bad = in_turn(bad_kinds(contract, encode))
        self._bad_below = mix.bad
        self._again_below = mix.bad + mix.duplicate
        self._late_below = mix.bad + mix.duplicate + mix.late
        self._last: list[Record] = []
        self._held: deque[Event] = deque(maxlen=_HELD)
        self._count = 0

    def take(self, count: int, now: int) -> Iterator[Record]:
        """Give the next records as of `now` (epoch ms)."""
        for _ in range(count):
            record = self._next(now)
            if len(self._last) < _REMEMBERED:
                self._last.append(record)
            else:
                self._last[self._count % _REMEMBERED] = record
            self._count += 1
            yield record

    def _next(self, now: int) -> Record:
        drawn = self._random.random()
        if drawn >= self._late_below:
            return self._good(now, 0)
        if drawn < self._bad_below:
            return self._spoilt(now)
        if drawn < self._again_below and self._last:
            return self._random.choice(self._last)._replace(again=True)
        return self._good(now, self._age()) if drawn >= self._again_below else self._good(now, 0)

    def _good(self, now: int, age: int) -> Record:
        event = self._held.popleft() if self._held and not age else self._domain.event(now, age)
        column = self._misfit(event)
        bad = f"misfit:{column}" if column else None
        value = None if event.fields is None else self._encode(event.fields)
        return Record(value, event.key, event.headers, bad, age > 0)

    def _spoilt(self, now: int) -> Record:
        kind, spoil = next(self._bad)
        return Record(*spoil(self._whole(now), now), kind)

    def _whole(self, now: int) -> Event:
        """Draw an event that has all its columns; a delete or tombstone before it is sent later, and in order."""
        event = self._domain.event(now, 0)
        while not is_whole(self.contract, event):
            self._held.append(event)
            event = self._domain.event(now, 0)
        return event

    def _age(self) -> int:
        """Draw how late an event is: minutes are more common than hours."""
        return int(exp(self._random.uniform(log(_LATE_FROM), log(_LATE_TO))))
