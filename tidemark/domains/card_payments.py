"""Card payments: most are for rides, the others in shops; rarely a card is abused."""

from collections import deque
from dataclasses import dataclass
from random import Random

from tidemark.countries import COUNTRIES, distance_km
from tidemark.domains.event import Event, Fields
from tidemark.domains.people import PEOPLE, REGULARS, Person, person
from tidemark.domains.rides import Trip, price_at, trip_of

WIRES = frozenset(
    {"payment_id", "card_id", "customer_id", "ride_event_id", "amount", "currency", "country", "merchant", "ts"}
)

_FOR_RIDES = 0.85
_BURST, _FAR = 0.001, 0.001  # how often a payment begins a burst, or is followed by one far away
_BURST_SIZE, _BURST_STEP_MS = 8, 6_000
_MINUTE_MS = 60_000
_FAR_KM = 5000.0
_PATIENCE = 200  # payments: where the clock stands still, a planned one is made after so many others
_TIPPED = 0.2
_MERCHANTS = (
    *("groceries", "groceries", "groceries", "coffee", "coffee", "restaurant", "restaurant", "bakery", "fuel", "books"),
    *("cinema", "pharmacy", "clothes", "electronics", "hotel"),
)
_FAR_FROM = {
    home: [code for code, there in COUNTRIES.items() if there[0] != here[0] and distance_km(home, code) > _FAR_KM]
    for home, here in COUNTRIES.items()
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A payment far from the one before; made when its time, or its turn, has come."""

    who: Person
    country: str
    after: int  # when the one before was made
    due: int
    turn: int


class CardPayments:
    """The payments of the customers. The Kafka key is the card.

    With the seed of the rides, the payments are for those rides, ride by ride: about one payment to four ride events.
    Cancelled rides, and those paid in cash, have none. A burst is eight payments of a card within a minute.
    """

    def __init__(self, random: Random, seed: int) -> None:
        self._random = random
        self._seed = seed
        self._ride = 0
        self._count = 0
        self._burst: deque[Person] = deque()
        self._far: deque[Planned] = deque()

    def event(self, now: int, age: int) -> Event:
        """Let the next payment be made."""
        moment = now - age - int(self._random.random() * 1000)
        if age:
            return self._purchase(self._anyone(), moment)
        self._count += 1
        if self._burst:
            return self._in_burst(moment)
        if self._far and (self._far[0].due <= now or self._far[0].turn <= self._count):
            planned = self._far.popleft()
            return self._purchase(planned.who, max(moment, planned.after + 1), planned.country)
        drawn = self._random.random()
        if drawn < _BURST:
            self._burst.extend([self._anyone()] * _BURST_SIZE)
            return self._in_burst(moment)
        if drawn < _BURST + _FAR:
            return self._before_far(now, moment)
        return self._for_ride(moment) if self._random.random() < _FOR_RIDES else self._purchase(self._anyone(), moment)

    def _in_burst(self, moment: int) -> Event:
        """Make one of a burst's payments, all but the last of them before `moment`."""
        who = self._burst.popleft()
        return self._purchase(who, moment - len(self._burst) * _BURST_STEP_MS)

    def _before_far(self, now: int, moment: int) -> Event:
        who = self._anyone()
        due = now + int(self._random.uniform(2, 15) * _MINUTE_MS)
        country = self._random.choice(_FAR_FROM[who.country])
        self._far.append(Planned(who, country, moment, due, self._count + _PATIENCE))
        return self._purchase(who, moment)

    def _for_ride(self, moment: int) -> Event:
        trip = self._next_trip()
        who = person(trip.user)
        price = price_at(moment, trip.kilometres)
        amount = float(int(price) + 1) if self._random.random() < _TIPPED else price
        fields = self._fields(who, moment, amount, "EUR", who.country, "rides")
        return Event(fields | {"ride_event_id": trip.event_id("paid")}, who.card_id.encode(), [])

    def _next_trip(self) -> Trip:
        while True:
            trip = trip_of(self._seed, self._ride)
            self._ride += 1
            if trip.is_paid_by_card and not trip.is_cancelled:
                return trip

    def _purchase(self, who: Person, moment: int, country: str = "") -> Event:
        where = country or who.country
        amount = round(2 + self._random.lognormvariate(2.9, 0.9), 2)
        merchant = self._random.choice(_MERCHANTS)
        return Event(self._fields(who, moment, amount, _currency(where), where, merchant), who.card_id.encode(), [])

    def _fields(self, who: Person, moment: int, amount: float, currency: str, country: str, merchant: str) -> Fields:
        return {
            "payment_id": f"payment-{self._random.getrandbits(64):016x}",
            "card_id": who.card_id,
            "customer_id": who.customer_id,
            "amount": amount,
            "currency": currency,
            "country": country,
            "merchant": merchant,
            "ts": moment,
        }

    def _anyone(self) -> Person:
        drawn = self._random.random() * 2
        return person(int(drawn * REGULARS) if drawn < 1 else int((drawn - 1) * PEOPLE))


def _currency(country: str) -> str:
    """Say in what the bank settles: not every country's own currency."""
    if country == "GB":
        return "GBP"
    return "EUR" if COUNTRIES[country].continent == "Europe" else "USD"
