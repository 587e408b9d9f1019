"""What Prometheus knows: the series of a panel, and the alerts."""

import math
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tidemark.errors import TidemarkError
from tidemark.panels import Panel, Query
from tidemark.probes import fetched
from tidemark.settings import Settings

MINUTES = (15, 60, 360, 1440, 10_080)  # that a chart may show
DEFAULT = 60

_POINTS = 240  # of a chart, at most
_LEAST_STEP = 15  # seconds: Prometheus asks no more often
_SHOWN = ("severity", "stream", "contract", "table", "service", "dag", "source", "topic", "reason")


class PrometheusAway(TidemarkError):
    """Prometheus does not answer, so nobody can tell."""

    exit_code = 2


def charted(settings: Settings, panel: Panel, minutes: int) -> dict[str, Any]:
    """Give the lines of a chart: its times as seconds since the epoch, and of each line the value at each time.

    Raises:
        PrometheusAway: it does not answer.
    """
    step = max(_LEAST_STEP, minutes * 60 // _POINTS)
    end = int(time.time()) // step * step
    times = range(end - minutes * 60, end + 1, step)
    lines = [line for query in panel.queries for line in _lines(settings, query, times)]
    return {"start": times.start, "step": step, "count": len(times), "lines": lines}


def firing(settings: Settings) -> list[dict[str, Any]]:
    """Give the alerts that fire, the worst first.

    Raises:
        PrometheusAway: it does not answer.
    """
    found = [each for each in _asked(settings, "alerts", {})["alerts"] if each["state"] == "firing"]
    described = [
        {
            "name": each["labels"]["alertname"],
            "labels": {name: each["labels"][name] for name in _SHOWN if name in each["labels"]},
            "since": each["activeAt"],
            **each["annotations"],
        }
        for each in found
    ]
    return sorted(described, key=lambda each: (each["labels"].get("severity", ""), each["name"]))


def _lines(settings: Settings, query: Query, times: range) -> list[dict[str, Any]]:
    window = {"query": query.expression, "start": times.start, "end": times[-1], "step": times.step}
    found = _asked(settings, "query_range", window)["result"]
    return [{"name": query.name_of(each["metric"]), "values": _values(each["values"], times)} for each in found]


def _values(points: list[tuple[float, str]], times: range) -> list[float | None]:
    """Give the value at each time; None where there is none."""
    known = {round(at): float(text) for at, text in points}
    values = (known.get(at, math.nan) for at in times)
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values]


def _asked(settings: Settings, what: str, parameters: Mapping[str, object]) -> Any:
    answer = fetched(f"{settings.prometheus_address}/api/v1/{what}?{urlencode(parameters)}")
    if not isinstance(answer, dict) or answer.get("status") != "success":
        raise PrometheusAway(f"{settings.prometheus_address}: Prometheus does not answer", "tidemark up monitoring")
    return answer["data"]
