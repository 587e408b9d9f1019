"""A part of what the exporter tells, and how its gauges are made."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily

Values = Mapping[str, float] | Mapping[tuple[str, str], float]


class Part(Protocol):
    """What is looked at in one go; a look that fails raises, and what the one before it told stays."""

    source: str  # lake, kafka, airflow, services or machine

    def look(self, at: datetime) -> list[GaugeMetricFamily]:
        """Look, and tell what was found."""


def gauge(name: str, what: str, labels: str | Sequence[str], values: Values) -> GaugeMetricFamily:
    """Make a gauge of its values by label; with several labels the keys are tuples."""
    names = [labels] if isinstance(labels, str) else list(labels)
    family = GaugeMetricFamily(f"tidemark_{name}", what, labels=names)
    for key, value in values.items():
        family.add_metric([key] if isinstance(key, str) else list(key), value)
    return family


def seconds_of(times: Mapping[str, datetime | None]) -> dict[str, float]:
    """Give times in seconds since the epoch, without those that are not known."""
    return {name: time.timestamp() for name, time in times.items() if time is not None}
