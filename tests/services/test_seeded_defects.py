"""Every kind of defect is found by a named check, at the first layer that can see it; clean tables raise none."""

from collections.abc import Iterator

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from expectations.judging import judge_version
from expectations.pinned import pinned
from expectations.reading import read
from expectations.report import Judged
from expectations.suites import gated_table
from expectations.suites.gated import GatedTable
from expectations.suites.silver import silver_table
from tests.gated import interpreted, not_met, page
from tests.seeded import DEFECTS, HOURS, TABLES, Seeded, lake
from tests.seeded_gold import GOLD
from tests.seeded_gold_defects import GOLD_DEFECTS
from tidemark.contracts import read_contracts
from tidemark.settings import Settings

pytestmark = pytest.mark.services

ALL = DEFECTS | GOLD_DEFECTS


@pytest.fixture(scope="module", autouse=True)
def quick(spark: SparkSession) -> Iterator[None]:
    with interpreted(spark):
        yield


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("lake"))


def judged(spark: SparkSession, settings: Settings, name: str) -> Judged:
    table = gated(settings, name)
    return judge_version(spark, settings, table, pinned(settings, table))


def gated(settings: Settings, name: str) -> GatedTable:
    contracts = read_contracts(settings.contracts_dir)
    if name == "silver.stg_payments":
        return silver_table("stg_payments", contracts["card_payments"])
    layer, own_name = name.split(".", 1)
    return gated_table(layer, own_name, contracts)


def test_at_least_twenty_kinds_of_defects_are_seeded() -> None:
    kinds = [kind for seeded in ALL.values() for kind in seeded.found_by]
    assert len(kinds) == len(set(kinds)) >= 45
    assert {seeded.table for seeded in ALL.values()} == set(TABLES)


@pytest.mark.parametrize("table", GOLD)
def test_of_clean_gold_all_that_is_measured_is_nought(spark: SparkSession, settings: Settings, table: str) -> None:
    lake(settings, table)
    gate = gated(settings, table)
    found = read(spark, settings, gate, pinned(settings, gate)).rows.collect()[0]
    numbers = {number: found[number] for survey in gate.surveys for number in survey.numbers}
    assert numbers and set(numbers.values()) == {0.0}, numbers


@pytest.mark.parametrize("table", [name for name in TABLES if name not in GOLD])
def test_of_a_clean_table_nothing_is_said(spark: SparkSession, settings: Settings, table: str) -> None:
    lake(settings, table)
    found = judged(spark, settings, table)
    assert not_met(found) == set()
    assert found.rows == 2 * HOURS


@pytest.mark.parametrize(("table", "outcome"), [("gold.fct_fraud_alerts", "pass"), ("gold.fct_rides", "fail")])
def test_without_a_row_only_a_table_that_may_be_empty_passes(
    spark: SparkSession, settings: Settings, table: str, outcome: str
) -> None:
    lake(settings, table)
    DeltaTable(settings.table(*table.split("."))).delete()
    found = judged(spark, settings, table)
    assert (found.verdict.outcome, found.rows) == (outcome, 0)
    assert ("batch" in not_met(found)) == (outcome == "fail")
    assert ("Failed" in page(found)) == (outcome == "fail"), "the report says otherwise than the verdict"


@pytest.mark.parametrize("seeded", ALL.values(), ids=ALL)
def test_each_defect_is_found_by_its_check_and_no_other(
    spark: SparkSession, settings: Settings, seeded: Seeded
) -> None:
    rows = lake(settings, seeded.table, seeded.spoil, **seeded.write)
    seeded.afterwards(settings, rows)
    assert not_met(judged(spark, settings, seeded.table)) == {*seeded.found_by.values(), *seeded.also}
