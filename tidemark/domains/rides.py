"""Rides: requested, started, completed, paid; some are cancelled. Several are under way at once."""

from dataclasses import dataclass
from random import Random

from tidemark.domains.event import Event

WIRES = frozenset({"event_id", "user_id", "event_type", "amount", "ts"})

_UNDER_WAY = 60
_UNDER_WAY_LATE = 6
_USERS = 20_000
_CANCELLED = 0.08
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
_LAST = ("paid", "cancelled")


@dataclass(slots=True)
class Ride:
    """A ride under way; `lag` is how long its phone takes to send, `moment` when its last event happened."""

    id: str
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

    def __init__(self, random: Random) -> None:
        self._random = random
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
        return Event(self._fields(ride), ride.id.encode(), [])

    def _begun(self, now: int, age: int) -> Ride:
        random = self._random
        kilometres = min(1.0 + random.expovariate(1 / 6.0), 80.0)
        hour = (now - age) // _HOUR_MS % 24
        return Ride(
            id=f"ride-{random.getrandbits(64):016x}",
            user=f"user-{int(random.random() * _USERS):05d}",
            price=round((_FLAG_FALL + _PER_KM * kilometres) * _PEAKS[hour], 2),
            age=age,
            lag=50 + int(random.random() * 950),
        )

    def _advance(self, ride: Ride, now: int) -> None:
        cancelled = ride.state == "requested" and self._random.random() < _CANCELLED
        ride.state = "cancelled" if cancelled else _NEXT[ride.state]
        ride.moment = max(ride.moment + 1, now - ride.age - ride.lag)

    def _fields(self, ride: Ride) -> dict[str, object]:
        return {
            "event_id": f"{self._random.getrandbits(128):032x}",
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
