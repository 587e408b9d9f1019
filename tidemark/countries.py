"""Countries by their code of ISO 3166-1: where their middle is. Enough of them for payments all over the world."""

from collections.abc import Mapping
from math import asin, cos, radians, sin, sqrt
from types import MappingProxyType
from typing import NamedTuple

_EARTH_KM = 6371.0088  # mean radius


class Country(NamedTuple):
    """A country's continent and the middle of it, in degrees north and east."""

    continent: str
    latitude: float
    longitude: float


COUNTRIES: Mapping[str, Country] = MappingProxyType(
    {
        "AE": Country("Asia", 24.0, 54.0),
        "AR": Country("South America", -34.0, -64.0),
        "AT": Country("Europe", 47.3, 13.3),
        "AU": Country("Oceania", -27.0, 133.0),
        "BE": Country("Europe", 50.8, 4.0),
        "BR": Country("South America", -10.0, -55.0),
        "CA": Country("North America", 60.0, -95.0),
        "CH": Country("Europe", 47.0, 8.0),
        "CL": Country("South America", -30.0, -71.0),
        "CN": Country("Asia", 35.0, 105.0),
        "CO": Country("South America", 4.0, -72.0),
        "CZ": Country("Europe", 49.8, 15.5),
        "DE": Country("Europe", 51.0, 9.0),
        "DK": Country("Europe", 56.0, 10.0),
        "EG": Country("Africa", 27.0, 30.0),
        "ES": Country("Europe", 40.0, -4.0),
        "FI": Country("Europe", 64.0, 26.0),
        "FR": Country("Europe", 46.0, 2.0),
        "GB": Country("Europe", 54.0, -2.0),
        "GR": Country("Europe", 39.0, 22.0),
        "ID": Country("Asia", -5.0, 120.0),
        "IE": Country("Europe", 53.0, -8.0),
        "IN": Country("Asia", 20.0, 77.0),
        "IT": Country("Europe", 42.8, 12.8),
        "JP": Country("Asia", 36.0, 138.0),
        "KE": Country("Africa", 1.0, 38.0),
        "KR": Country("Asia", 37.0, 127.5),
        "MA": Country("Africa", 32.0, -5.0),
        "MX": Country("North America", 23.0, -102.0),
        "NG": Country("Africa", 10.0, 8.0),
        "NL": Country("Europe", 52.5, 5.8),
        "NO": Country("Europe", 62.0, 10.0),
        "NZ": Country("Oceania", -41.0, 174.0),
        "PL": Country("Europe", 52.0, 20.0),
        "PT": Country("Europe", 39.5, -8.0),
        "RO": Country("Europe", 46.0, 25.0),
        "SE": Country("Europe", 62.0, 15.0),
        "SG": Country("Asia", 1.4, 103.8),
        "TR": Country("Asia", 39.0, 35.0),
        "US": Country("North America", 38.0, -97.0),
        "ZA": Country("Africa", -29.0, 24.0),
    }
)


def distance_km(one: str, other: str) -> float:
    """Give the great-circle distance between the middles of two countries (haversine formula)."""
    here, there = COUNTRIES[one], COUNTRIES[other]
    north, east = radians(there.latitude - here.latitude), radians(there.longitude - here.longitude)
    across = cos(radians(here.latitude)) * cos(radians(there.latitude)) * sin(east / 2) ** 2
    return 2 * _EARTH_KM * asin(sqrt(sin(north / 2) ** 2 + across))
