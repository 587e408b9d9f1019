"""Page views, sensors and log lines are as in life: what a stream looks for in them is there, and rare."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from random import Random
from statistics import fmean
from typing import Any

import pytest

from tidemark.domains.app_logs import AppLogs
from tidemark.domains.event import Domain
from tidemark.domains.page_views import PageViews
from tidemark.domains.sensors import Sensors

pytestmark = pytest.mark.unit

NOW = 1_750_000_000_000
MINUTE = 60_000


def fields(domain: Domain, count: int, tick: int = 0) -> list[dict[str, Any]]:
    """Let things happen, `tick` ms after each other."""
    events = (domain.event(NOW + number * tick, 0).fields for number in range(count))
    return [each for each in events if each is not None]


def grouped(made: Iterable[dict[str, Any]], name: str) -> dict[str, list[dict[str, Any]]]:
    groups = defaultdict(list)
    for each in made:
        groups[each[name]].append(each)
    return groups


@pytest.fixture(scope="module")
def views() -> dict[str, list[dict[str, Any]]]:
    """Give the views of each visitor over some hours."""
    return grouped(fields(PageViews(Random(1)), 30_000, tick=500), "visitor_id")


def test_visitors_walk_from_page_to_page(views: dict[str, list[dict[str, Any]]]) -> None:
    pages = Counter(re.sub(r"\d+", "N", view["page"]) for own in views.values() for view in own)
    assert pages.keys() == {
        *("/", "/categories/N", "/products/product-N", "/search", "/cart", "/checkout", "/thanks"),
    }
    assert pages["/products/product-N"] > pages["/cart"] > pages["/checkout"] > pages["/thanks"] > 100
    for own in views.values():
        assert [view["referrer"] for view in own[1:]] == [view["page"] for view in own[:-1]]
    entries = Counter(str(own[0].get("referrer"))[:8] for own in views.values())
    assert entries.keys() == {"None", "https://"}


def test_several_visits_are_under_way_and_a_third_ends_at_once(views: dict[str, list[dict[str, Any]]]) -> None:
    assert 0.35 < sum(len(own) == 1 for own in views.values()) / len(views) < 0.55
    spans = sorted((own[0]["ts"], own[-1]["ts"]) for own in views.values() if len(own) > 1)
    assert sum(later[0] < first[1] for first, later in pairwise(spans)) > len(spans) / 2


def test_some_visitors_come_back_after_a_pause(views: dict[str, list[dict[str, Any]]]) -> None:
    gaps = [after["ts"] - before["ts"] for own in views.values() for before, after in pairwise(own)]
    assert min(gaps) > 0
    assert sum(3 * MINUTE < gap < 30 * MINUTE for gap in gaps) > 50
    assert sum(gap > 30 * MINUTE for gap in gaps) > 50


def windowed(values: list[float], size: int) -> Iterable[list[float]]:
    return (values[start : start + size] for start in range(len(values) - size))


@pytest.fixture(scope="module")
def readings() -> dict[str, list[dict[str, Any]]]:
    """Give the readings of each sensor over some hours."""
    return grouped(fields(Sensors(Random(2)), 60_000, tick=200), "sensor_id")


def test_a_sensor_measures_one_thing_in_order(readings: dict[str, list[dict[str, Any]]]) -> None:
    assert len(readings) == 300
    assert len({own[0]["metric"] for own in readings.values()}) == 5
    for own in readings.values():
        assert len({each["metric"] for each in own}) == 1
        assert all(before["ts"] < after["ts"] for before, after in pairwise(own))


def test_rarely_a_reading_is_more_than_six_sigma_off(readings: dict[str, list[dict[str, Any]]]) -> None:
    spikes = 0
    for own in readings.values():
        values = [each["reading"] for each in own]
        for before, value in zip(windowed(values, 20), values[20:], strict=False):
            mean = sum(before) / 20
            spikes += (value - mean) ** 2 > 36 * (sum(each * each for each in before) / 20 - mean * mean)
    assert 10 < spikes < 60


def test_readings_follow_the_day() -> None:
    sensors = Sensors(Random(2))
    for_a_day = grouped(fields(sensors, 60_000, tick=1440), "sensor_id")
    moved = [
        max(map(fmean, hours)) - min(map(fmean, hours))
        for own in for_a_day.values()
        if own[0]["metric"] == "temperature_celsius"
        for hours in [
            [[each["reading"] for each in own[start : start + 20]] for start in range(0, len(own) - 20, 20)],
        ]
    ]
    assert fmean(moved) == pytest.approx(6, abs=1)


def test_now_and_then_a_sensor_is_silent_for_long_and_comes_back(readings: dict[str, list[dict[str, Any]]]) -> None:
    gaps = [after["ts"] - before["ts"] for own in readings.values() for before, after in pairwise(own)]
    silences = [gap for gap in gaps if gap > 5 * MINUTE]
    assert 1 <= len(silences) < 15
    assert 7 * MINUTE < min(silences) <= max(silences) < 62 * MINUTE
    # All others are read once a minute
    assert max(gap for gap in gaps if gap not in silences) < 1.1 * MINUTE


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return fields(AppLogs(Random(4)), 40_000)


def test_levels_come_in_their_shares(lines: list[dict[str, Any]]) -> None:
    levels = Counter(line["level"] for line in lines)
    assert levels.keys() == {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"}
    assert levels["INFO"] > levels["DEBUG"] > levels["WARN"] > levels["ERROR"] > 10 * levels["FATAL"]
    assert len({line["service"] for line in lines}) == 12


def test_messages_are_few_once_their_numbers_are_taken_out(lines: list[dict[str, Any]]) -> None:
    assert len({line["message"] for line in lines}) > 0.8 * len(lines)
    fingerprints = {re.sub(r"\b[0-9a-f]*\d[0-9a-f]*\b|\b[0-9a-f]{12}\b", "#", line["message"]) for line in lines}
    assert 15 <= len(fingerprints) <= 25
    assert "{" not in json.dumps(sorted(fingerprints))


def test_rarely_one_service_has_a_fit_of_the_same_error(lines: list[dict[str, Any]]) -> None:
    stretches = [lines[start : start + 100] for start in range(0, len(lines), 100)]
    errors = [Counter(line["service"] for line in stretch if line["level"] == "ERROR") for stretch in stretches]
    fits = [counted for counted in errors if max(counted.values(), default=0) > 30]
    assert 5 < len(fits) < len(stretches) / 10


def test_times_are_text_with_a_zone(lines: list[dict[str, Any]]) -> None:
    moments = [datetime.fromisoformat(line["timestamp"]).timestamp() * 1000 for line in lines]
    assert all(NOW - 1001 < moment <= NOW for moment in moments)
