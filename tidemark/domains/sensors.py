"""Sensors: each has its level, its curve of the day and its noise; rarely one jumps, or falls silent for a while."""

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from math import pi, sin
from random import Random
from typing import NamedTuple

from tidemark.domains.event import Event

WIRES = frozenset({"reading_id", "sensor_id", "metric", "reading", "ts"})

_SENSORS = 300
_SPIKED = 0.0005  # the share of the readings
_SIGMAS = 8.0, 14.0  # how far a spike is from where the reading was to be
_FALLS_SILENT = 0.00005
_SILENT_AT_MOST = 15
_MINUTE_MS, _DAY_MS = 60_000, 86_400_000
_SILENT_MINUTES = 7, 60


class Kind(NamedTuple):
    """What a kind of sensor measures: levels from low to high, how far the day moves them, and the noise."""

    metric: str
    low: float
    high: float
    swing: float
    noise: float


_KINDS = (
    Kind("temperature_celsius", 17.0, 24.0, 3.0, 0.25),
    Kind("humidity_percent", 35.0, 60.0, 6.0, 0.8),
    Kind("pressure_hpa", 1005.0, 1020.0, 1.5, 0.4),
    Kind("vibration_mm_s", 1.0, 4.0, 0.4, 0.12),
    Kind("power_kw", 20.0, 90.0, 12.0, 1.5),
)


@dataclass(slots=True)
class Sensor:
    """A sensor; `moment` is when it was last read, `phase` shifts its day."""

    id: str
    kind: Kind
    level: float
    phase: float
    moment: int = 0

    def expected(self, moment: int) -> float:
        """Give what it reads at a moment, but for noise."""
        return self.level + self.kind.swing * sin(2 * pi * (moment % _DAY_MS / _DAY_MS + self.phase))


class Sensors:
    """The sensors of one building, read one after the other. The Kafka key is the sensor.

    They are the same in every run, whatever the seed. At fewer than one event a second, all would seem silent.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._heard = _installed()
        self._silent: list[tuple[int, str, Sensor]] = []

    def event(self, now: int, age: int) -> Event:
        """Let one of the sensors be read."""
        moment = now - age - int(self._random.random() * 1000)
        if age:
            sensor = self._heard[int(self._random.random() * len(self._heard))]
        else:
            sensor = self._next(now)
            # The readings of one sensor are in order, and none is from the future
            moment = sensor.moment = min(max(sensor.moment + 1, moment), now)
        fields = {
            "reading_id": f"{self._random.getrandbits(128):032x}",
            "sensor_id": sensor.id,
            "metric": sensor.kind.metric,
            "reading": self._read(sensor, moment),
            "ts": moment,
        }
        return Event(fields, sensor.id.encode(), [])

    def _read(self, sensor: Sensor, moment: int) -> float:
        off = self._random.gauss(0.0, 1.0)
        if self._random.random() < _SPIKED:
            off = self._random.uniform(*_SIGMAS) * self._random.choice((-1, 1))
        return round(sensor.expected(moment) + off * sensor.kind.noise, 4)

    def _next(self, now: int) -> Sensor:
        """Give the sensor that was read longest ago; now and then it is its last reading for a while."""
        if self._silent and self._silent[0][0] <= now:
            self._heard.append(heappop(self._silent)[2])
        sensor = self._heard.popleft()
        if self._random.random() < _FALLS_SILENT and len(self._silent) < _SILENT_AT_MOST:
            back = now + int(self._random.uniform(*_SILENT_MINUTES) * _MINUTE_MS)
            heappush(self._silent, (back, sensor.id, sensor))
        else:
            self._heard.append(sensor)
        return sensor


def _installed() -> deque[Sensor]:
    random = Random("sensors")
    kinds = [_KINDS[number % len(_KINDS)] for number in range(_SENSORS)]
    return deque(
        Sensor(f"sensor-{number:03d}", kind, random.uniform(kind.low, kind.high), random.random())
        for number, kind in enumerate(kinds)
    )
