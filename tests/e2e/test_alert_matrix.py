"""Every alert, fired by a real fault within five minutes; and none in half an hour in which nothing is wrong."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from time import monotonic

import pytest

from tests.e2e.alert_matrix import GROUPS, Expected, Fault, expected
from tests.e2e.watched import Watched, watched_lakehouse
from tests.streams import wait_until
from tidemark.alert_log import log_file

pytestmark = [pytest.mark.e2e, pytest.mark.repeat, pytest.mark.timeout(3600)]

CLEAN_SECONDS = 60 * float(os.environ.get("CLEAN_MINUTES", "30"))
WITHIN = 300.0
ENDS_WITHIN = 600.0  # some look back for five minutes, and go on for as long


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched_lakehouse(tmp_path_factory.mktemp("alerts") / "disk") as house:
        yield house


def test_nothing_fires_while_nothing_is_wrong(house: Watched) -> None:
    Event().wait(CLEAN_SECONDS)  # the clean time itself
    assert house.fired_within(CLEAN_SECONDS) == set()


@pytest.mark.parametrize("group", GROUPS)
def test_each_fault_is_told_within_five_minutes(house: Watched, group: str) -> None:
    house.load()
    faults = GROUPS[group]
    with ThreadPoolExecutor(len(faults)) as pool:
        untold = dict(zip((fault.what for fault in faults), pool.map(partial(untold_of, house), faults), strict=True))
    assert {what: alerts for what, alerts in untold.items() if alerts} == {}


def test_alerts_end_with_their_faults(house: Watched) -> None:
    house.load()
    ending = [each for each in expected() if each.ends]
    wait_until(lambda: not [each for each in ending if house.fires(each.name, each.labels)], ENDS_WITHIN, "all is well")


def test_what_was_sent_is_kept(house: Watched) -> None:
    loud = {each.name for each in expected() if not each.is_quiet}

    def lacking() -> set[str]:
        lines = log_file(house.settings).read_text().splitlines()
        return loud - {each["labels"]["alertname"] for line in lines for each in json.loads(line)["alerts"]}

    # What it could not send while the exporter hung, Alertmanager sends again.
    wait_until(lambda: not lacking(), ENDS_WITHIN, f"all are in the log of alerts: {lacking()}")


def untold_of(house: Watched, fault: Fault) -> list[str]:
    """Make a fault, and mend it when all its alerts are told, or should be; give what is not as it should be."""
    early = [f"{each.name} before the fault" for each in fault.alerts if house.fires(each.name, each.labels)]
    with fault.made(house), ThreadPoolExecutor(len(fault.alerts)) as pool:
        late = list(pool.map(partial(problem_of, house, monotonic()), fault.alerts))
    return [*early, *filter(None, late)]


def problem_of(house: Watched, began: float, alert: Expected) -> str:
    """Wait until an alert is told as it should be; say what is not."""

    def is_told() -> bool:
        return house.fires(alert.name, alert.labels) and alert.is_quiet in house.sent(alert.name, alert.labels)

    try:
        wait_until(is_told, WITHIN, alert.name)
    except AssertionError:
        return f"{alert.name}: fires: {house.fires(alert.name, alert.labels)}"
    print(f"{alert.name}: {monotonic() - began:.0f} s")
    return ""
