"""Sales: products with prices that stay and a popularity as in real shops: few sell much, many sell little."""

from bisect import bisect_left
from itertools import accumulate
from random import Random

from tidemark.domains.event import Event

WIRES = frozenset({"product_id", "quantity", "revenue", "customer_id", "timestamp", "source", "version"})

_PRODUCTS = 500
_CUSTOMERS = 50_000
_ZIPF = 1.07  # the exponent that sales ranks of retail goods are near
_QUANTITIES = (1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 6, 12)
_DISCOUNTS = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.05, 0.1, 0.25)
_SOURCES = (b"web", b"web", b"app", b"app", b"app", b"store")
_VERSIONS = (b"1", b"2", b"2", b"2")


def _prices() -> list[float]:
    # A seed of its own: a product costs the same in every run, whatever --seed says
    random = Random("prices")
    return [round(2 + random.lognormvariate(2.7, 0.9), 2) for _ in range(_PRODUCTS)]


class Sales:
    """The sales of one shop. The Kafka key is the sale's id, as the contract says."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._prices = _prices()
        self._popularity = list(accumulate((rank + 1) ** -_ZIPF for rank in range(_PRODUCTS)))

    def event(self, now: int, age: int) -> Event:
        """Sell something."""
        random = self._random
        product = bisect_left(self._popularity, random.random() * self._popularity[-1])
        quantity = _QUANTITIES[int(random.random() * len(_QUANTITIES))]
        discount = _DISCOUNTS[int(random.random() * len(_DISCOUNTS))]
        fields = {
            "product_id": f"product-{product + 1:04d}",
            "quantity": quantity,
            "revenue": round(self._prices[product] * quantity * (1 - discount), 2),
            "customer_id": f"customer-{int(random.random() * _CUSTOMERS):05d}",
            "timestamp": now - age - int(random.random() * 1000),
        }
        source = _SOURCES[int(random.random() * len(_SOURCES))]
        version = _VERSIONS[int(random.random() * len(_VERSIONS))]
        return Event(fields, b"sale-%016x" % random.getrandbits(64), [("source", source), ("version", version)])
