"""Rides: requested, started, completed, paid; some are cancelled. Several are under way at once."""

from dataclasses import dataclass
from hashlib import blake2b
from math import log
from random import Random
from struct import unpack
from typing import NamedTuple

from tidemark.domains.event import Event
from tidemark.domains.people import PEOPLE, REGULARS

WIRES = frozenset({"event_id", "user_id", "event_type", "amount", "ts"})

_UNDER_WAY = 60
_UNDER_WAY_LATE = 6
_ALL = 2**32
_CANCELLED, _BY_CARD = 0.08 * _ALL, 0.9 * _ALL
_HOUR_MS = 3_600_000
_FLAG_FALL, _PER_KM = 3.20, 1.85
# What a price is multiplied by in each hour of the day (UTC): two rushes, and few drivers after midnight
_PEAKS = (
    1.3,
    1.3,
    1.2,
    1.0,
    0.9,
    0.9,
    1.0,
    1.3,
    1.5,
    1.3,
    1.0,
    1.0,
    1.1,
    1.0,
    1.0,
    1.0,
    1.2,
    1.5,
    1.6,
    1.4,
    1.1,
    1.0,
    1.1,
    1.2,
)
_NEXT = {"": "requested", "requested": "started", "started": "completed", "completed": "paid"}
_STEPS = {"requested": 0, "started": 1, "cancelled": 1, "completed": 2, "paid": 3}
_LAST = ("paid", "cancelled")
_ID = 32  # hex digits of an event's id


class Trip(NamedTuple):
    """What is certain of a ride before it begins. `event_ids` has the ids of its events, one after the other."""

    id: str
    user: int
    kilometres: float
    is_cancelled: bool
    is_paid_by_card: bool
    event_ids: str

    def event_id(self, state: str) -> str:
        """Give the id of the event that brings the ride into a state."""
        first = _ID * _STEPS[state]
        return self.event_ids[first : first + _ID]


@dataclass(slots=True)
class Ride:
    """A ride under way; `lag` is how long its phone takes to send, `moment` when its last event happened."""

    trip: Trip
    user: str
    price: float
    age: int
    lag: int
    state: str = ""
    moment: int = 0


class Rides:
    """The rides of one city.

    The Kafka key is the ride's id: nothing in the value names the ride, so the key is what keeps the events of a ride
    together, and in their order, in one partition.
    """

    def __init__(self, random: Random, seed: int) -> None:
        self._random = random
        self._seed = seed
        self._number = 0
        self._live: list[Ride] = []
        self._late: list[Ride] = []

    def event(self, now: int, age: int) -> Event:
        """Let one of the rides under way take its next step.

        A late event belongs to a ride all of whose events are late: its phone was offline.
        """
        pool, limit = (self._late, _UNDER_WAY_LATE) if age else (self._live, _UNDER_WAY)
        place = int(self._random.random() * limit)
        if place >= len(pool):
            place = len(pool)
            pool.append(self._begun(now, age))
        ride = pool[place]
        self._advance(ride, now)
        if ride.state in _LAST:
            pool[place] = pool[-1]
            pool.pop()
        return Event(_fields(ride), ride.trip.id.encode(), [])

    def _begun(self, now: int, age: int) -> Ride:
        trip = trip_of(self._seed, self._number)
        self._number += 1
        lag = 50 + int(self._random.random() * 950)
        return Ride(trip, f"user-{trip.user:05d}", price_at(now - age, trip.kilometres), age, lag)

    def _advance(self, ride: Ride, now: int) -> None:
        cancelled = ride.trip.is_cancelled and ride.state == "requested"
        ride.state = "cancelled" if cancelled else _NEXT[ride.state]
        ride.moment = max(ride.moment + 1, now - ride.age - ride.lag)


def trip_of(seed: int, number: int) -> Trip:
    """Give the ride of a number: the same in every topic that is made with the seed, so that they can be joined.

    Regulars take half of all rides. Nobody rides again before all the others have.
    """
    name = b"%d ride %d" % (seed, number)
    ride, length, fate, pay = unpack("<8sIII", blake2b(name, digest_size=20).digest())
    kilometres = min(1.0 - 6.0 * log(1 - length / _ALL), 80.0)
    event_ids = blake2b(name, digest_size=64).hexdigest()
    # By place, not by name: that is quicker, and every ride is made here
    return Trip(f"ride-{ride.hex()}", _user(seed, number), kilometres, fate < _CANCELLED, pay < _BY_CARD, event_ids)


def _user(seed: int, number: int) -> int:
    turn = number // 2
    if number % 2:
        return REGULARS + (turn * 7919 + seed) % (PEOPLE - REGULARS)
    return (turn * 1237 + seed) % REGULARS


def price_at(moment: int, kilometres: float) -> float:
    """Give the price in euros of a ride requested at a moment (epoch ms)."""
    return round((_FLAG_FALL + _PER_KM * kilometres) * _PEAKS[moment // _HOUR_MS % 24], 2)


def _fields(ride: Ride) -> dict[str, object]:
    return {
        "event_id": ride.trip.event_id(ride.state),
        "user_id": ride.user,
        "event_type": ride.state,
        "amount": _amount(ride),
        "ts": ride.moment,
    }


def _amount(ride: Ride) -> float:
    """Give the price so far in euros."""
    if ride.state in ("completed", "paid"):
        return ride.price
    return _FLAG_FALL if ride.state == "started" else 0.0
