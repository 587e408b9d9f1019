"""Sensors are judged as plain Python judges them."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from pyspark.sql import SparkSession

from streaming.transforms.sensors import sensor_minutes, silences_of
from tests.sensors import Reading, minutes_by_hand, silences_by_hand
from tidemark.contracts import Silence, read_contract
from tidemark.settings import ROOT

pytestmark = pytest.mark.spark

START = datetime(2026, 3, 1, 23, 50, tzinfo=UTC)
SCHEMA = "reading_id string, sensor_id string, metric string, reading double, event_time timestamp"


@pytest.fixture(scope="module")
def readings() -> list[Reading]:
    random = Random(11)
    made = []
    for number in range(1500):
        value = round(random.gauss(20, 0.5), 3) + (25 if random.random() < 0.01 else 0)
        at = START + timedelta(milliseconds=random.randrange(20 * 60_000))
        made.append(Reading(f"r{number}", f"s{number % 7}", "temperature_celsius", value, at))
    constant = [Reading(f"c{each}", "flat", "t", 5.0, START + timedelta(seconds=5 * each)) for each in range(40)]
    quiet = [Reading("q1", "quiet", "t", 1.0, START), Reading("q2", "quiet", "t", 99.0, START + timedelta(minutes=3))]
    huge = [Reading("h1", "flat", "t", 1e300, START + timedelta(seconds=199))]
    return [*made, *constant, *quiet, *huge, made[0], made[1]]  # two came twice


def test_minutes_are_those_of_plain_python(spark: SparkSession, readings: list[Reading]) -> None:
    rows = sensor_minutes(spark.createDataFrame(readings, SCHEMA)).toArrow().to_pylist()
    found = {
        (row["sensor_id"], row["window_start"]): (
            row["count_readings"],
            row["count_baseline"],
            frozenset(each["reading_id"] for each in row["anomalies"]),
        )
        for row in rows
    }
    assert len(found) == len(rows)
    due = minutes_by_hand(readings)
    assert found == due
    anomalies = {name for *_, names in due.values() for name in names}
    assert len(anomalies) > 5 and "h1" in anomalies and not anomalies & {"q2", "c39"}
    assert all(row["count_anomalies"] == len(row["anomalies"]) for row in rows)


def test_a_silence_begins_with_the_last_record(spark: SparkSession, readings: list[Reading]) -> None:
    contract = read_contract(ROOT / "contracts" / "sensor_readings.yaml")
    silence = Silence(column="sensor_id", within="150 seconds")
    silences = silences_of(contract, silence)(spark.createDataFrame(readings, SCHEMA)).toArrow().to_pylist()
    found = {(row["sensor_id"], row["silent_from"]) for row in silences}
    due = silences_by_hand(readings, timedelta(seconds=150), START + timedelta(days=1))
    assert found == due and ("quiet", START) in due
    assert all(row["noticed_at"] - row["silent_from"] == timedelta(seconds=150) for row in silences)
