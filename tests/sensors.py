"""Sensors judged in plain Python: slow, and simple enough to be believed."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from math import sqrt
from typing import NamedTuple

MINUTE = timedelta(minutes=1)


class Reading(NamedTuple):
    reading_id: str
    sensor_id: str
    metric: str
    reading: float
    event_time: datetime


def minutes_by_hand(readings: Iterable[Reading]) -> dict[tuple[str, datetime], tuple[int, int, frozenset[str]]]:
    """Give of each sensor's minute: its readings, those of its baseline, and which are anomalies."""
    listed = list(readings)
    minutes: dict[tuple[str, datetime], set[Reading]] = defaultdict(set)
    for each in listed:
        minutes[each.sensor_id, each.event_time.replace(second=0, microsecond=0)].add(each)
    judged = {}
    for (sensor, minute), of_minute in minutes.items():
        base = [
            each.reading
            for each in listed
            if each.sensor_id == sensor and minute - 5 * MINUTE <= each.event_time < minute
        ]
        far = frozenset(each.reading_id for each in of_minute if len(base) >= 10 and _is_far(each.reading, base))
        judged[sensor, minute] = (len(of_minute), len(base), far)
    return judged


def silences_by_hand(readings: Iterable[Reading], within: timedelta, until: datetime) -> set[tuple[str, datetime]]:
    """Give each sensor's last reading before a silence that was certain at `until`."""
    times: dict[str, list[datetime]] = defaultdict(list)
    for each in readings:
        times[each.sensor_id].append(each.event_time)
    found = set()
    for sensor, unsorted in times.items():
        ordered = sorted(unsorted)
        following = [*ordered[1:], until]
        found |= {(sensor, at) for at, later in zip(ordered, following, strict=True) if later - at >= within}
    return found


def _is_far(reading: float, base: list[float]) -> bool:
    exact = [Fraction(str(round(each, 6))) for each in base]
    mean = float(sum(exact)) / len(exact)
    variance = float(sum(each * each for each in exact)) / len(exact) - mean * mean
    return abs(reading - mean) > 4 * sqrt(max(variance, 0.0))
