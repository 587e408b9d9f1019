"""What dbt builds on a real warehouse: silver and gold up to the tidemark, the same by increments as by a full refresh.

One story is played once, and the tables are read after each of its chapters; each test tells one thing about them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.dbt_lake import Lake, Row, Tables, at
from tests.dbt_story import BY_KEY, BY_TIME, MODELS, Story, played

if TYPE_CHECKING:
    from tests.warehouse import Warehouse

pytest_plugins = ("tests.warehouse",)
pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]  # the story is played in the set-up of the first test

PERSONAL = (
    ("silver/stg_payments", "card_id", "card"),
    ("silver/stg_page_views", "visitor_id", "ann"),
    ("silver/stg_customers", "name", "Ann Lee"),
    ("silver/stg_customers", "email", "ann@example.com"),
)


@pytest.fixture(scope="module")
def story(warehouse: Warehouse) -> Iterator[Story]:
    warehouse.clear()
    yield played(warehouse, Lake(Path(warehouse.settings.lake_root)))
    warehouse.clear()


def amounts(rows: Iterable[Row]) -> dict[str, float]:
    """Give the amount of each ride."""
    return {row["event_id"]: row["amount"] for row in rows}


def recomputed(rides: Iterable[Row]) -> list[Row]:
    """Compute fct_rides_hourly from silver by other means."""
    hours: dict[tuple[datetime, str], list[Row]] = defaultdict(list)
    for each in rides:
        hours[each["event_time"].replace(minute=0, second=0, microsecond=0), each["event_type"]].append(each)
    return [
        {
            "hour_at": hour,
            "event_type": kind,
            "count_events": len(events),
            "count_users": len({each["user_id"] for each in events}),
            "sum_amount": sum((Decimal(str(each["amount"])) for each in events), Decimal(0)),
        }
        for (hour, kind), events in hours.items()
    ]


def unordered(rows: Iterable[Row]) -> set[str]:
    """Give rows in a form that has no order."""
    return {json.dumps(row, default=lambda value: str(value).rstrip("0").rstrip("."), sort_keys=True) for row in rows}


def test_hive_finds_its_functions_which_the_end_of_a_session_may_need(warehouse: Warehouse) -> None:
    registry = "org.apache.hadoop.hive.ql.exec.FunctionRegistry"
    assert warehouse.sql(f"select java_method('java.lang.Class', 'forName', '{registry}')") == [(f"class {registry}",)]


def test_a_model_whose_source_is_not_there_says_what_makes_it(story: Story) -> None:
    said = story.refused
    assert "bronze.ride_events: there is no table yet; it is made by: make stream-up" in said
    assert "ops.tidemarks: there is no table yet; it is made by: tidemark prove <contract>" in said
    assert "sales_events" not in said and "certificates" not in said


def test_a_table_that_is_not_there_is_not_made_by_asking_for_it(story: Story) -> None:
    assert story.left_behind == []


def test_the_first_build_passes_all_tests(story: Story) -> None:
    kinds: dict[str, int] = defaultdict(int)
    for node, status in story.statuses.items():
        assert status in ("success", "pass") or node.startswith("exposure."), node
        kinds[node.split(".")[0]] += 1
    assert kinds["model"] >= 21 and kinds["unit_test"] >= 22 and kinds["test"] >= 70


def test_silver_has_the_newest_good_record_of_each_key_below_the_tidemark(story: Story) -> None:
    expected = {"plain": 0.1, "doubled": 0.2, "moving": 0.1, "settled": 0.3, "exported": 0.1}
    assert amounts(story.first["silver/stg_rides"]) == expected


def test_a_table_that_the_catalog_has_lost_is_built_anew(story: Story) -> None:
    assert story.statuses["model.tidemark.fct_product_sales_daily"] == "success"
    assert "of a lost catalog" not in str(story.first["gold/fct_product_sales_daily"])


def test_a_contract_without_a_proof_has_no_rows(story: Story) -> None:
    assert story.first["silver/stg_sales"] == []
    assert story.first["gold/fct_product_sales_daily"] == []


def test_quarantined_rows_are_in_their_view(story: Story) -> None:
    assert story.quarantined == [("mended", "type:amount")]


def test_rows_come_when_the_tidemark_moves(story: Story) -> None:
    rides = amounts(story.second["silver/stg_rides"])
    assert rides.keys() >= {"at the tidemark", "not proven yet", "late", "exported too"}
    assert "above again" not in rides


def test_what_was_written_after_the_proof_is_not_read(story: Story) -> None:
    assert "written after the proof" not in amounts(story.second["silver/stg_rides"])


def test_a_row_that_was_judged_again_comes_in(story: Story) -> None:
    assert amounts(story.second["silver/stg_rides"])["mended"] == 0.4


def test_an_older_event_never_overwrites_a_newer_one(story: Story) -> None:
    assert amounts(story.second["silver/stg_rides"])["settled"] == 0.3


def test_an_hour_that_a_ride_has_left_is_gone(story: Story) -> None:
    def started(tables: Tables) -> list[datetime]:
        return [row["hour_at"] for row in tables["gold/fct_rides_hourly"] if row["event_type"] == "started"]

    assert started(story.first) == [at(1, 13)]
    assert started(story.second) == [at(2, 9)]


@pytest.mark.parametrize("chapter", ["first", "second", "again", "refreshed", "adopted"])
def test_gold_is_what_silver_adds_up_to(story: Story, chapter: str) -> None:
    tables: Tables = getattr(story, chapter)
    assert len(tables["silver/stg_rides"]) >= 5
    assert unordered(tables["gold/fct_rides_hourly"]) == unordered(recomputed(tables["silver/stg_rides"]))


def test_sales_are_counted_by_product_and_day(story: Story) -> None:
    counted = {"count_sales": 2, "count_customers": 1, "sum_quantity": 4, "sum_revenue": Decimal("8.400000")}
    day = {"product_id": "bread", "sale_date": at(1, 0).date()}
    assert story.second["gold/fct_product_sales_daily"] == [day | counted]


def test_a_build_without_news_changes_nothing(story: Story) -> None:
    assert story.again == story.second
    changes = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted", "numTargetFilesAdded")
    for model, metrics in story.rewritten.items():
        assert [int(metrics[name]) for name in changes] == [0, 0, 0, 0], model


@pytest.mark.parametrize("model", MODELS)
def test_a_full_refresh_gives_what_the_increments_gave(story: Story, model: str) -> None:
    assert story.refreshed[model] == story.second[model]
    assert len(story.refreshed[model]) >= 1


def test_a_range_of_days_can_be_built_again(story: Story) -> None:
    def first_of_january(tables: Tables) -> list[Row]:
        return [row for row in tables["gold/fct_rides_hourly"] if row["hour_at"] < at(2, 0)]

    assert [row["hour_at"] for row in story.damaged["gold/fct_rides_hourly"]] == [at(1, 3)]
    assert len(first_of_january(story.refreshed)) >= 4
    assert story.backfilled["gold/fct_rides_hourly"] == first_of_january(story.refreshed)


@pytest.mark.parametrize("model", ["gold/fct_sessions", "gold/dim_customers"])
def test_a_range_of_days_brings_all_of_each_key_that_has_rows_of_it(story: Story, model: str) -> None:
    assert story.damaged[model] == []
    assert story.backfilled[model] == story.refreshed[model] != []


@pytest.mark.parametrize(("model", "column", "text"), PERSONAL)
def test_a_token_stands_in_the_place_of_personal_data(story: Story, model: str, column: str, text: str) -> None:
    found = {row[column] for row in story.second[model]}
    key = story.key.encode()
    assert found == {hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}


def test_the_key_is_in_nothing_that_is_written(story: Story) -> None:
    assert len(story.key) >= 32
    assert story.written_with_key == []


def test_a_reconciled_day_is_served_from_the_batch_the_others_from_the_stream(story: Story) -> None:
    assert sorted(story.served) == [("final", "batch", 1.0), ("open", "stream", 1.0)]


def test_an_alert_waits_for_the_proof_of_its_payment(story: Story) -> None:
    assert [row["payment_id"] for row in story.first["gold/fct_fraud_alerts"]] == ["settled"]


def test_killed_between_two_models_and_in_the_middle_of_one_a_build_ends_in_the_same_tables(story: Story) -> None:
    assert 1 <= len(story.killed) < len(BY_TIME + BY_KEY)
    assert story.second == story.refreshed  # which the build after it has made, and a full refresh


def test_only_models_with_news_are_built(story: Story) -> None:
    of_rides = {"stg_rides", "fct_rides", "fct_fraud_alerts"}
    assert {Path(model).name for model in MODELS} == story.idle.keys() == story.moved.keys()
    assert set(story.idle.values()) == {"skip"}
    assert {name for name, action in story.moved.items() if action == "build"} == of_rides
    assert story.left_alone


def test_a_build_tests_data_and_the_sql_that_has_changed(story: Story) -> None:
    assert {"model", "test", "unit_test"} <= story.run_of_sql
    assert {"model", "test"} <= story.run_of_data
    assert "unit_test" not in story.run_of_data


def test_a_model_that_was_made_otherwise_is_made_anew_from_its_first_row(story: Story) -> None:
    assert story.moved["fct_rides_hourly"] == "refresh"
    assert story.made_anew == "CREATE OR REPLACE TABLE AS SELECT"


def test_rows_of_a_topic_made_anew_come_in_although_its_offsets_begin_again(story: Story) -> None:
    before, after = (amounts(tables["silver/stg_rides"]) for tables in (story.refreshed, story.adopted))
    assert after == before | {"anew": 0.1}
