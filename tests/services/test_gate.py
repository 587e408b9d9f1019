"""Gates judge real Delta tables with real Spark and Great Expectations."""

import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from expectations.judging import judge_version
from expectations.pinned import pinned
from expectations.project import KEPT
from expectations.suites import gated_table
from tests.gated import (
    BRONZE,
    clean_rides,
    failed,
    interpreted,
    judged_now,
    page,
    quarantined,
    ride,
    write_bronze,
    write_hours,
    write_rides,
)
from tidemark.certificates import Origin, PartitionMark, Tidemark, write_tidemark
from tidemark.contracts import read_contracts
from tidemark.settings import Settings

pytestmark = pytest.mark.services


@pytest.fixture(scope="module", autouse=True)
def quick(spark: SparkSession) -> Iterator[None]:
    with interpreted(spark):
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


# --- what passes, and what fails


def test_clean_table_passes_whatever_its_quarantine_holds(spark: SparkSession, settings: Settings) -> None:
    write_bronze(settings, "ride_events", clean_rides())
    judged = judged_now(spark, settings, BRONZE)
    assert judged.verdict.outcome == "pass"
    assert judged.version == 0
    assert judged.verdict.findings[0].observed == "20"
    assert "values must never be null" in page(judged)


def test_report_and_index_fetch_nothing_from_the_network(spark: SparkSession, settings: Settings) -> None:
    write_bronze(settings, "ride_events", clean_rides())
    report = page(judged_now(spark, settings, BRONZE))
    index = (settings.home / "docs" / "quality" / "index.html").read_text()
    for html in (report, index):
        assert "<table" in html
        assert "http" not in html
        assert "<script" not in html


def test_null_in_a_required_column_fails_and_is_found_in_the_report(spark: SparkSession, settings: Settings) -> None:
    write_bronze(settings, "ride_events", [*clean_rides(), ride(99, user_id=None)])
    judged = judged_now(spark, settings, BRONZE)
    assert failed(judged) == {"not_null(user_id)": "it is not met"}
    (finding,) = judged.verdict.with_verdict("fail")
    assert finding.observed.startswith("1 of 21 rows")
    assert finding.rows == ({"_topic": "ride_events", "_partition": 0, "_offset": 99},)
    assert "values must never be null" in page(judged)
    assert "1 unexpected values found" in page(judged)


def test_negative_amount_fails(spark: SparkSession, settings: Settings) -> None:
    write_bronze(settings, "ride_events", [*clean_rides(), ride(99, amount=-4.5)])
    judged = judged_now(spark, settings, BRONZE)
    assert failed(judged) == {"range(amount)": "it is not met"}
    assert "-4.5" in page(judged)


def test_doubled_key_in_silver_fails(spark: SparkSession, settings: Settings) -> None:
    write_rides(settings, [ride(1), ride(2), ride(2)])
    judged = judged_now(spark, settings, "silver.stg_rides")
    assert failed(judged) == {"unique(event_id)": "it is not met"}
    assert (
        judged.verdict.with_verdict("fail")[0].rows
        == ({"event_id": "e2", "_topic": "ride_events", "_partition": 0, "_offset": 2},) * 2
    )


def test_doubled_grain_and_negative_sum_in_gold_fail(spark: SparkSession, settings: Settings) -> None:
    hour = {
        "hour_at": datetime(2026, 1, 1, 10, tzinfo=UTC),
        "event_type": "paid",
        "count_events": 3,
        "count_users": 2,
        "sum_amount": Decimal("1.5"),
    }
    write_hours(settings, [hour, {**hour, "sum_amount": Decimal(-1)}, {**hour, "event_type": "started"}])
    judged = judged_now(spark, settings, "gold.fct_rides_hourly")
    assert set(failed(judged)) == {
        "unique(hour_at, event_type)",
        "range(sum_amount) >= 0",
        "adds_up(count_events) = 0 days off",  # there is no silver to add up to
        "adds_up(sum_amount) = 0 days off",
    }


@pytest.mark.parametrize("rows", [[], [quarantined(1)]], ids=["no rows", "no good rows"])
def test_table_without_good_rows_fails(spark: SparkSession, settings: Settings, rows: list[dict[str, Any]]) -> None:
    write_bronze(settings, "ride_events", rows)
    reasons = failed(judged_now(spark, settings, BRONZE))
    assert reasons["batch"] == "it is empty: there is not one row to judge"
    assert reasons["row_count > 0"] == "it is not met"


def test_required_column_of_nothing_but_nulls_fails(spark: SparkSession, settings: Settings) -> None:
    write_bronze(settings, "ride_events", [ride(number, amount=None) for number in range(3)])
    assert failed(judged_now(spark, settings, BRONZE)) == {
        "not_null(amount)": "every value of a required column is null"
    }


def test_column_that_the_table_lacks_fails_what_is_said_of_it(spark: SparkSession, settings: Settings) -> None:
    write_bronze(settings, "ride_events", clean_rides(), without="amount")
    reasons = failed(judged_now(spark, settings, BRONZE))
    assert set(reasons) == {"type(amount)", "not_null(amount)", "range(amount)"}
    assert all("it raised" in reason for reason in reasons.values())


def test_stale_table_is_warned_about_and_does_not_fail(spark: SparkSession, settings: Settings) -> None:
    write_bronze(settings, "ride_events", [ride(1, event_time=datetime.now(UTC) - timedelta(hours=2))])
    judged = judged_now(spark, settings, BRONZE)
    assert judged.verdict.outcome == "warn"
    assert [each.check for each in judged.verdict.with_verdict("warn")] == ["freshness(event_time) within 15 minutes"]
    assert "only a warning" in page(judged)


def test_pinned_version_is_judged_though_a_later_commit_breaks_the_table(
    spark: SparkSession, settings: Settings
) -> None:
    write_bronze(settings, "ride_events", clean_rides())
    table = gated_table("bronze", "ride_events", read_contracts(settings.contracts_dir))
    version_0 = pinned(settings, table)
    write_bronze(settings, "ride_events", [ride(99, amount=-1.0)])
    assert judge_version(spark, settings, table, version_0).verdict.outcome == "pass"
    assert judged_now(spark, settings, BRONZE).verdict.outcome == "fail"


def test_the_same_version_has_the_same_verdict_whenever_it_is_judged(spark: SparkSession, settings: Settings) -> None:
    write_bronze(settings, "ride_events", [*clean_rides(), ride(99, amount=-1.0)])
    first, second = (judged_now(spark, settings, BRONZE).to_row(datetime.now(UTC)) for _ in range(2))
    assert first.verdict == "fail"
    assert (first.verdict, first.suite, first.version, first.window, first.rows, first.checks) == (
        *(second.verdict, second.suite, second.version, second.window, second.rows),
        second.checks,
    )


def test_only_settled_rows_are_judged(spark: SparkSession, settings: Settings) -> None:
    write_bronze(settings, "ride_events", [*clean_rides(), ride(22, amount=-1.0)])
    origin = Origin("certificate", "ride_events", "ride_events", "id", 0, datetime.now(UTC))
    write_tidemark(settings, Tidemark(origin, "proven", [PartitionMark(0, 22, datetime.now(UTC))]))
    judged = judged_now(spark, settings, BRONZE)
    assert (judged.verdict.outcome, judged.rows) == ("pass", 20)


def test_the_query_lists_every_failing_row_and_the_report_masks_what_is_personal(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "parcels.yaml").write_text(
        PARCELS.replace("size, logicalType: string", "size, logicalType: string, pii: true")
    )
    settings = Settings(home=tmp_path, contracts_dir=tmp_path)
    write_bronze(settings, "parcels", [parcel(number, size="Erna" if number % 2 else "small") for number in range(16)])
    judged = judged_now(spark, settings, "bronze.parcels")
    assert "enum(size)" in failed(judged)
    assert "Erna" not in page(judged)
    assert "Erna" not in "".join(path.read_text() for path in (tmp_path / "quality").rglob("*.json"))
    queries = {finding.check: finding.query for finding in judged.verdict.findings if finding.query}
    assert [row["_offset"] for row in spark.sql(queries["enum(size)"] + " ORDER BY _offset").collect()] == [
        *range(1, 16, 2)
    ]


# --- a new contract, and every kind of check

PARCELS = """
id: parcels
owner: shipping
description: Parcels.
topic: parcels
format: json
key: [parcel_id]
eventTime: sent_at
schema:
  - {name: parcel_id, logicalType: string, required: true, pattern: 'P[0-9]+'}
  - {name: size, logicalType: string, enum: [small, "it's large"]}
  - {name: weight, logicalType: number, minimum: 0, maximum: 30}
  - {name: note, logicalType: string, maxLength: 5}
  - {name: sent_at, logicalType: timestamp, required: true, unit: ms}
quality:
  - {metric: nullValues, columns: [note], mustBeLessThan: 26, unit: percent}
  - {metric: nullValues, columns: [note], mustBeLessThan: 25, unit: percent}
  - {metric: missingValues, columns: [note], mustBe: 3}
  - {metric: missingValues, columns: [note], mustBeLessThan: 3}
  - {metric: invalidValues, columns: [weight], mustBeLessThan: 2}
  - {metric: invalidValues, columns: [weight], mustBeLessThan: 1}
  - {metric: invalidValues, columns: [parcel_id], mustBe: 2, severity: warn}
  - {metric: invalidValues, columns: [size], mustBeGreaterThan: 1, severity: warn}
  - {metric: duplicateValues, columns: [parcel_id], mustBeLessThan: 3}
  - {metric: duplicateValues, columns: [parcel_id], mustBeLessThan: 2}
  - {metric: duplicateValues, columns: [size, weight], mustBeLessThan: 50, unit: percent}
  - {metric: duplicateValues, columns: [size, weight], mustBe: 0}
  - {metric: rowCount, mustBe: 8}
  - {metric: rowCount, mustBeGreaterThan: 8}
"""


def parcel(number: int, **changes: Any) -> dict[str, Any]:
    """Give a good parcel, with changes."""
    own = {"parcel_id": f"P{number}", "size": "small", "weight": float(number), "note": "ok"}
    return ride(number) | own | {"sent_at": datetime.now(UTC)} | changes


def test_new_contract_has_its_gate_without_code(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "parcels.yaml").write_text(PARCELS)
    settings = Settings(home=tmp_path, contracts_dir=tmp_path)
    rows = [
        parcel(1, note=None),
        parcel(2, note=None),
        parcel(3, note=" \t"),
        parcel(4, weight=31.0),
        parcel(5, parcel_id="P5\n", note="äöüßé"),
        parcel(6, size="tiny", parcel_id="x"),
        parcel(7, size="it's large"),
        parcel(1, parcel_id="P1", note="too long"),
    ]
    write_bronze(settings, "parcels", rows)
    judged = judged_now(spark, settings, "bronze.parcels")
    assert set(failed(judged)) == {
        "pattern(parcel_id)",
        "enum(size)",
        "range(weight)",
        "length(note)",
        "nulls(note) < 25 %",
        "missing(note) < 3",
        "invalid(weight) < 1",
        "duplicates(parcel_id) < 2",
        "unique(size, weight)",
        "row_count > 8",
    }
    assert [each.check for each in judged.verdict.with_verdict("warn")] == [
        "invalid(size) > 1",
        "reused_keys(parcel_id) < 1 %",
    ]
    assert not [reason for reason in failed(judged).values() if "raised" in reason]


# --- the project's files


def test_what_a_killed_gate_left_half_written_does_no_harm(spark: SparkSession, settings: Settings) -> None:
    write_bronze(settings, "ride_events", clean_rides())
    judged_now(spark, settings, BRONZE)
    files = [path for path in (settings.home / "quality").rglob("*") if path.suffix in (".json", ".yml")]
    assert len(files) == 6
    long_ago = time.time() - 3600
    for path in files:
        path.write_text(path.read_text()[:40])
        os.utime(path, (long_ago, long_ago))
    judged = judged_now(spark, settings, BRONZE)
    assert judged.verdict.outcome == "pass"
    assert len(list((settings.home / "quality" / "validations").rglob("*.json"))) == 1
    assert "ride_events" in page(judged)


def test_only_the_newest_validations_are_kept(spark: SparkSession, settings: Settings) -> None:
    write_bronze(settings, "ride_events", clean_rides())
    judged_now(spark, settings, BRONZE)
    run = settings.home / "quality" / "validations" / "bronze" / "ride_events" / "version-0"
    (first,) = run.iterdir()
    for day in range(10, 10 + KEPT):
        shutil.copytree(first, run / f"20200{day // 28 + 1}{day % 28 + 1:02}T000000.000000Z")
    judged_now(spark, settings, BRONZE)
    kept = sorted(path.name for path in run.iterdir())
    assert len(kept) == KEPT
    assert first.name in kept
    assert "20200111T000000.000000Z" not in kept
    index = (settings.home / "docs" / "quality" / "index.html").read_text()
    assert first.name in index
