"""The customers of the shop and of the rides: who number 42 is, in every topic and whatever the seed."""

from bisect import bisect_left
from hashlib import blake2b
from itertools import accumulate
from struct import unpack
from typing import NamedTuple

from tidemark.countries import COUNTRIES

PEOPLE = 20_000
REGULARS = 2_000  # the first of them: half of all rides are theirs

_FIRST = (
    *("Ada", "Ben", "Chloe", "Diego", "Emre", "Fatima", "Greta", "Hugo", "Ines", "Jonas", "Kofi", "Lena", "Mei"),
    *("Noah", "Olga", "Priya", "Rosa", "Sven", "Tomoko", "Yusuf", "Zoe"),
)
_LAST = (
    *("Almeida", "Bauer", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanova", "Jansen", "Kim"),
    *("Lopez", "Moreau", "Novak", "Okafor", "Patel", "Rossi", "Schmidt", "Tanaka", "Weber", "Yilmaz"),
)
_MAIL = ("example.com", "example.net", "example.org")
# Most live near the shop: the first countries of this list have far more of them than the last
_NEAR = ("DE", "AT", "CH", "FR", "NL", "IT", "GB", "ES", "PL", "US", "SE", "DK", "BE", "CZ", "PT")
_HOMES = (*_NEAR, *(code for code in COUNTRIES if code not in _NEAR))
_SHARES = list(accumulate((rank + 1) ** -1.2 for rank in range(len(_HOMES))))


class Person(NamedTuple):
    """A customer."""

    customer_id: str
    name: str
    email: str
    country: str
    card_id: str


def person(number: int) -> Person:
    """Say who has a number."""
    first, last, mail, home, card = unpack("<HHHI8s", blake2b(b"person %d" % number, digest_size=18).digest())
    given, family = _FIRST[first % len(_FIRST)], _LAST[last % len(_LAST)]
    address = f"{given}.{family}.{number}@{_MAIL[mail % len(_MAIL)]}".lower()
    country = _HOMES[bisect_left(_SHARES, home / 2**32 * _SHARES[-1])]
    return Person(f"customer-{number:05d}", f"{given} {family}", address, country, f"card-{card.hex()}")
