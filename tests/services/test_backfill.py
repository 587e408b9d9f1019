"""Backfill on real Kafka, Spark and Delta: days that the stream lost, days that the export knows better, bad files."""

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.house import House
from tests.kafka import Broker
from tests.streams import ride, rows, send, wait_until
from tests.warehouse import Warehouse
from tidemark import ops_tables

pytest_plugins = ("tests.warehouse",)
pytestmark = pytest.mark.services

RIDES = 30  # of each day
# In Berlin the second day has 23 hours: days are UTC, wherever a job runs.
DAYS = [date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)]


def event(day: date, number: int, **changes: Any) -> dict[str, Any]:
    """Give a ride event of a day, some right after midnight and some right before it."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) * number / RIDES
    own = {"event_id": f"{day}-{number}", "ts": round(at.timestamp() * 1000)}
    return json.loads(ride(number, **(own | changes)))  # type: ignore[no-any-return]


@pytest.fixture
def house(tmp_path: Path, kafka: Broker, spark: SparkSession, warehouse: Warehouse) -> House:
    """A table with three days of rides."""
    house = House(tmp_path, kafka, spark, warehouse)
    events = (event(day, number) for day in DAYS for number in range(RIDES))
    send(kafka, house.contract.topic, (json.dumps(each).encode() for each in events))
    house.land()
    return house


def export(house: House, day: date, events: list[dict[str, Any]], name: str = "rides.jsonl") -> None:
    folder = house.settings.exports_dir / house.contract.id / f"date={day}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(each) + "\n" for each in events))


def backfill(house: House, action: str, *flags: str) -> tuple[int, list[dict[str, Any]]]:
    days = ("--from", str(DAYS[0]), "--to", str(DAYS[-1]))
    code, result = house.job("backfill", *days, *flags, action=action)
    return code, result["days"]


def rides_of(house: House, day: date) -> dict[str, set[float]]:
    """Give the amounts that good rows have, by ride."""
    found: dict[str, set[float]] = {}
    for row in rows(house.settings, house.contract):
        if row["event_time"] and row["event_time"].date() == day:
            found.setdefault(row["event_id"], set()).add(row["amount"])
    return found


def test_a_range_with_a_lost_day_and_a_day_ahead_of_the_stream_is_filled_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "TZ", "Europe/Berlin")
    lost, ahead, same = DAYS
    house.remove(f"event_time >= '{lost}' AND event_time < '{ahead}'")
    export(house, lost, [event(lost, number) for number in range(RIDES)])
    more = [event(ahead, number) for number in range(RIDES)]
    more[3] = event(ahead, 3, amount=9.75)
    export(house, ahead, [*more, event(ahead, 0, event_id="new")])
    export(house, same, [event(same, number) for number in range(RIDES - 2)])  # two that only bronze has
    version = house.version()

    code, plan = backfill(house, "plan")
    found = [(day["missing"], day["different"], day["extra"], day["needs_approval"]) for day in plan]
    assert (code, found) == (0, [(RIDES, 0, 0, True), (1, 1, 0, True), (0, 0, 2, False)])
    assert [(day["rows_now"], day["rows_after"]) for day in plan] == [(0, RIDES), (RIDES, RIDES + 2), (RIDES, RIDES)]
    assert {"fct_rides_hourly", "int_rides", "stg_rides"} < {*plan[0]["models"]}

    code, refused = backfill(house, "apply")
    assert (code, [day["outcome"] for day in refused]) == (3, ["refused", "refused", "done"])
    assert house.version() == version

    code, done = backfill(house, "apply", "--approved", "1000")
    assert (code, [day["repaired"] for day in done]) == (0, [RIDES, 2, 0])
    assert rides_of(house, lost) == {f"{lost}-{number}": {2.5} for number in range(RIDES)}
    assert rides_of(house, ahead)[f"{ahead}-3"] == {2.5, 9.75}
    assert "new" in rides_of(house, ahead)

    version = house.version()
    code, again = backfill(house, "apply", "--approved", "1000")
    assert (code, [day["repaired"] for day in again], house.version()) == (0, [0, 0, 0], version)
    assert audit(house, ahead) == [("refused", 1, 1, 0), ("done", 1, 1, 2), ("done", 0, 0, 0)]
    told = [({"event_id": f"{ahead}-3"}, {"amount": [2.5, 9.75]})]
    assert differences(house, ahead)["different"] == told * 2  # of the refused run, and of the one that was approved


def test_what_an_export_has_wrong_is_quarantined_once_and_the_rest_lands(house: House) -> None:
    day = DAYS[1]
    events = [event(day, number) for number in range(RIDES)]
    twice = [event(day, 0, event_id="twice", amount=amount) for amount in (1.0, 2.0)]
    same = [event(day, 0, event_id="same")] * 2
    other = event(DAYS[0], 0, event_id="other")
    bad = event(day, 0, event_id="bad", amount=-1)
    export(house, day, [*events, *twice, *same, other, bad])
    with (house.settings.exports_dir / house.contract.id / f"date={day}" / "rides.jsonl").open("a") as file:
        file.write('{"event_id": "cut sh')
    for _ in range(2):
        code, days = backfill(house, "apply", "--approved", "1000")
        assert code == 0
    assert (days[1]["repaired"], days[1]["rejected"]) == (0, 0)
    exported = [row for row in rows(house.settings, house.contract) if row["_topic"].startswith("export:")]
    reasons = sorted(tuple(row["_errors"]) for row in exported)
    assert reasons == sorted(
        [(), ("malformed",), ("other_day:event_time",), ("range:amount",), *[("duplicate:event_id",)] * 2]
    )
    assert house.verdict() == "proven"


def test_an_archive_of_many_days_fills_those_that_were_asked_for(house: House) -> None:
    folder = house.settings.exports_dir / house.contract.id / "archive"
    folder.mkdir(parents=True)
    outside = DAYS[0] - timedelta(days=30)
    house.remove(f"event_time >= '{DAYS[1]}'")
    events = [event(day, number) for day in (outside, *DAYS) for number in range(RIDES)]
    names = ("event_id", "user_id", "event_type", "amount", "ts")
    lines = [",".join(str(each[name]) for name in names) for each in events]
    (folder / "all.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
    code, done = backfill(house, "apply", "--approved", "1000", "--source", "archive", "--path", "archive")
    assert (code, [day["repaired"] for day in done]) == (0, [0, RIDES, RIDES])
    assert rides_of(house, outside) == {}
    assert [len(rides_of(house, day)) for day in DAYS] == [RIDES] * 3


def test_a_killed_backfill_and_two_at_once_append_every_row_once(house: House) -> None:
    day = DAYS[1]
    house.remove(f"event_time >= '{day}' AND event_time < '{DAYS[2]}'")
    export(house, day, [event(day, number) for number in range(RIDES)])
    words = ("--from", str(day), "--to", str(day), "--approved", "1000")
    lease = house.settings.leases / f"bronze.{house.contract.id}" / f"{day}.json"
    with house.start("backfill", *words, action="apply") as killed:
        wait_until(
            lambda: lease.exists() and json.loads(lease.read_text())["pid"] == killed.pid, 60, "it has the lease"
        )
        killed.kill()
    both = [house.start("backfill", *words, action="apply") for _ in range(2)]
    done = [json.loads(process.communicate(timeout=120)[0])["days"][0]["repaired"] for process in both]
    assert sorted(done) == [0, RIDES]
    exported = [row["event_id"] for row in rows(house.settings, house.contract) if row["_topic"].startswith("export:")]
    assert sorted(exported) == sorted(f"{day}-{number}" for number in range(RIDES))


def audit(house: House, day: date) -> list[tuple[Any, ...]]:
    told = ops_tables.opened(house.settings, ops_tables.RECONCILIATIONS)
    assert told is not None
    entries = sorted((each for each in told.to_table().to_pylist() if each["day"] == day), key=lambda each: each["at"])
    return [(each["outcome"], each["missing"], each["different"], each["repaired"]) for each in entries]


def differences(house: House, day: date) -> dict[str, list[Any]]:
    told = ops_tables.opened(house.settings, ops_tables.RECONCILIATION_DIFFS)
    assert told is not None
    found: dict[str, list[Any]] = {}
    for each in told.to_table().to_pylist():
        if each["day"] == day:
            columns = json.loads(each["columns"]) if each["columns"] else None
            found.setdefault(each["kind"], []).append((json.loads(each["key"]), columns))
    return found
