"""Suites are functions of contracts: exactly which expectations, how severe, of which columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from expectations.bounded import ExpectBrokenRowsToBeBounded
from expectations.judging import fingerprint
from expectations.suites import gated_table, gated_tables
from expectations.suites.checks import SECONDS_OLD
from expectations.suites.declared import declaration_of
from expectations.suites.gated import GatedTable, NoSuchTable
from expectations.suites.gold import GOLD
from expectations.suites.silver import silver_table
from expectations.verdict import Declared
from tidemark import models as dbt_models
from tidemark.contracts import Contract, ContractError, read_contract, read_contracts
from tidemark.models import STAGED
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

CONTRACTS = read_contracts(ROOT / "contracts")


TABLES = [gated_table(layer, name, CONTRACTS) for layer, names in gated_tables(CONTRACTS).items() for name in names]


def parcels(folder: Path, *quality: str) -> Contract:
    """Give a contract with every kind of limit, and the quality checks."""
    lines = [
        "id: parcels",
        "owner: shipping",
        "description: Parcels.",
        "topic: parcels",
        "format: json",
        "key: [parcel_id]",
        "eventTime: sent_at",
        "schema:",
        "  - {name: parcel_id, logicalType: string, required: true, pattern: 'P[0-9]+'}",
        "  - {name: size, logicalType: string, enum: [small, large]}",
        "  - {name: weight, logicalType: number, minimum: 0, maximum: 30}",
        "  - {name: note, logicalType: string, maxLength: 9}",
        "  - {name: pieces, logicalType: integer}",
        "  - {name: sent_at, logicalType: timestamp, required: true, unit: ms}",
        "quality:" if quality else "",
        *(f"  - {{{check}}}" for check in quality),
    ]
    path = folder / "parcels.yaml"
    path.write_text("\n".join(lines))
    return read_contract(path)


def suite(contract: Contract) -> list[Declared]:
    """Give what the suite of a contract's bronze table declares."""
    return declarations(gated_table("bronze", contract.id, {contract.id: contract}))


def declarations(table: GatedTable) -> list[Declared]:
    return [declaration_of(expectation) for expectation in table.suite.expectations]


def checks(declared: Sequence[Declared]) -> set[tuple[str, str]]:
    return {(each.check, each.severity) for each in declared}


OF_COLUMNS = {
    ("row_count > 0", "fail"),
    ("type(parcel_id)", "fail"),
    ("not_null(parcel_id)", "fail"),
    ("pattern(parcel_id)", "fail"),
    ("type(size)", "fail"),
    ("enum(size)", "fail"),
    ("type(weight)", "fail"),
    ("range(weight)", "fail"),
    ("type(note)", "fail"),
    ("length(note)", "fail"),
    ("type(pieces)", "fail"),
    ("type(sent_at)", "fail"),
    ("not_null(sent_at)", "fail"),
    # of the table as a whole, and of its days
    ("ledger_rows = 0 rows beyond", "fail"),
    ("quarantined < 5 %", "warn"),
    ("volume_change(sent_at) > -25 and < 100 %", "warn"),
    ("reused_keys(parcel_id) < 1 %", "warn"),
    ("more_nulls(size) < 25 %", "warn"),
    ("more_nulls(weight) < 25 %", "warn"),
    ("more_nulls(note) < 25 %", "warn"),
    ("more_nulls(pieces) < 25 %", "warn"),
}


def test_bronze_suite_has_type_and_limits_of_every_column(tmp_path: Path) -> None:
    assert checks(suite(parcels(tmp_path))) == OF_COLUMNS


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("metric: nullValues, columns: [note], mustBe: 0", {("not_null(note)", "fail")}),
        (
            "metric: nullValues, columns: [note, size], mustBeLessThan: 5, unit: percent, severity: warn",
            {("nulls(note) < 5 %", "warn"), ("nulls(size) < 5 %", "warn")},
        ),
        ("metric: missingValues, columns: [note], mustBe: 0", {("missing(note) = 0", "fail")}),
        ("metric: missingValues, columns: [note], mustBeLessThan: 3", {("missing(note) < 3", "fail")}),
        ("metric: invalidValues, columns: [weight], mustBe: 0", set()),
        ("metric: invalidValues, columns: [pieces], mustBe: 0", set()),
        ("metric: invalidValues, columns: [weight], mustBeLessThan: 3", {("invalid(weight) < 3", "fail")}),
        ("metric: duplicateValues, columns: [parcel_id], mustBe: 0", {("unique(parcel_id)", "fail")}),
        ("metric: duplicateValues, columns: [size, note], mustBe: 0", {("unique(size, note)", "fail")}),
        (
            "metric: duplicateValues, columns: [size, note], mustBeLessThan: 9, severity: warn",
            {("duplicates(size, note) < 9", "warn")},
        ),
        (
            "metric: rowCount, mustBeGreaterThan: 10, mustBeLessThan: 20",
            {("row_count > 10", "fail"), ("row_count < 20", "fail")},
        ),
        ("metric: rowCount, mustBe: 7, severity: warn", {("row_count = 7", "warn")}),
        ("metric: rowCount, mustBeGreaterThan: 0", set()),
        (
            "metric: freshness, within: 15 minutes, severity: warn",
            {
                ("freshness(sent_at) within 15 minutes", "warn"),
                ("hours_missing(sent_at) = 0", "warn"),
                ("delay(sent_at) > -1800 and < 1800 seconds", "warn"),
            },
        ),
        (
            "metric: freshness, within: 1 day, severity: warn",
            {("freshness(sent_at) within 1 day", "warn")},
        ),
        ("metric: nullValues, columns: [note], mustBe: 0, layer: silver", set()),
    ],
)
def test_declared_check_adds_exactly_its_expectations(
    tmp_path: Path, check: str, expected: set[tuple[str, str]]
) -> None:
    declared = suite(parcels(tmp_path, check))
    assert checks(declared) == OF_COLUMNS | expected
    assert len(declared) == len(OF_COLUMNS | expected)


def test_a_contract_bounds_its_quarantine_in_the_place_of_the_common_bound(tmp_path: Path) -> None:
    declared = suite(parcels(tmp_path, "metric: quarantinedRows, mustBeLessThan: 20, unit: percent"))
    assert checks(declared) == OF_COLUMNS - {("quarantined < 5 %", "warn")} | {("quarantined < 20 %", "fail")}


def test_check_said_twice_is_checked_once_by_the_stricter_severity(tmp_path: Path) -> None:
    said = (
        "metric: nullValues, columns: [note], mustBe: 0, severity: warn",
        "metric: nullValues, columns: [note], mustBe: 0",
    )
    for quality in (said, tuple(reversed(said))):
        declared = suite(parcels(tmp_path, *quality))
        assert [each.severity for each in declared if each.check == "not_null(note)"] == ["fail"]


def test_warning_about_row_count_leaves_the_floor_a_failure(tmp_path: Path) -> None:
    declared = suite(parcels(tmp_path, "metric: rowCount, mustBeGreaterThan: 0, severity: warn"))
    assert ("row_count > 0", "fail") in checks(declared)


def test_severity_reaches_great_expectations_too(tmp_path: Path) -> None:
    contract = parcels(tmp_path, "metric: freshness, within: 1 hour, severity: warn")
    expectations = gated_table("bronze", "parcels", {"parcels": contract}).suite.expectations
    severities = {declaration_of(each).severity: each.severity.value for each in expectations}
    assert severities == {"fail": "critical", "warn": "warning"}


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        ("mustBeLessThan: 5, unit: percent", "found unit 'percent'; allowed is 'rows'"),
        ("mustBe: 7.5", "found mustBe 7.5; allowed is a whole number"),
    ],
)
def test_what_is_no_count_of_rows_is_refused(tmp_path: Path, bound: str, said: str) -> None:
    with pytest.raises(ContractError, match=f"rowCount: {said}"):
        suite(parcels(tmp_path, f"metric: rowCount, {bound}"))


def test_pattern_is_matched_whole_as_the_stream_does(tmp_path: Path) -> None:
    table = gated_table("bronze", "parcels", {"parcels": parcels(tmp_path)})
    (matching,) = [each for each in table.suite.expectations if "regex" in each.expectation_type]
    assert matching.configuration.kwargs["regex"] == r"\A(?:P[0-9]+)\z"


def test_silver_suite_has_what_is_required_and_the_checks_of_its_layer() -> None:
    assert checks(declarations(gated_table("silver", "stg_sales", CONTRACTS))) == {
        ("row_count > 0", "fail"),
        ("not_null(sale_id)", "fail"),
        ("not_null(product_id)", "fail"),
        ("not_null(quantity)", "fail"),
        ("not_null(revenue)", "fail"),
        ("not_null(customer_id)", "fail"),
        ("not_null(event_time)", "fail"),
        ("unique(sale_id)", "fail"),
    }


def test_column_without_limits_is_invalid_only_by_its_type(tmp_path: Path) -> None:
    contract = parcels(tmp_path, "metric: invalidValues, columns: [pieces], mustBe: 0, layer: silver")
    assert ("type(pieces)", "fail") in checks(declarations(silver_table("stg_parcels", contract)))


def test_gold_suite_has_its_grain_and_its_sums() -> None:
    table = gated_table("gold", "fct_rides_hourly", CONTRACTS)
    assert table.key == ("hour_at", "event_type")
    assert {
        ("row_count > 0", "fail"),
        ("not_null(hour_at)", "fail"),
        ("unique(hour_at, event_type)", "fail"),
        ("range(sum_amount) >= 0", "fail"),
    } < checks(declarations(table))


def test_every_table_of_gold_adds_up_to_silver() -> None:
    gold = [table for table in TABLES if table.layer == "gold"]
    assert {table.name for table in gold} == {*GOLD} and len(gold) == 9
    for table in gold:
        assert any(each.check.startswith("adds_up(") and each.severity == "fail" for each in declarations(table))
        assert all(other.startswith("silver.") for survey in table.surveys for other in survey.reads)


def test_every_gated_table_reads_the_columns_that_it_judges() -> None:
    for table in TABLES:
        judged = {column for each in declarations(table) for column in each.columns}
        assert judged <= set(table.columns)
        assert set(table.key) <= set(table.columns)


def test_every_number_of_a_survey_is_judged_once_and_none_is_judged_that_no_survey_gives() -> None:
    for table in TABLES:
        columns = [each.configuration.kwargs.get("column") for each in table.suite.expectations]
        judged = [column for column in columns if column and column.startswith("_") and column != SECONDS_OLD]
        assert sorted(judged) == sorted(number for survey in table.surveys for number in survey.numbers)


def test_every_gated_table_has_its_key_once_and_filled() -> None:
    assert len([table for table in TABLES if table.layer != "bronze"]) >= len(STAGED) + len(GOLD)
    for table in TABLES:
        if table.layer != "bronze":
            assert {(f"unique({', '.join(table.key)})", "fail")} < checks(declarations(table)), table.full_name
            assert {(f"not_null({column})", "fail") for column in table.key} < checks(declarations(table))


def test_changes_of_a_key_are_told_apart_in_silver() -> None:
    table = silver_table("stg_customers", CONTRACTS["customers"])
    assert table.key == ("customer_id", "source_lsn")


def test_payments_refer_to_rides_and_customers() -> None:
    table = silver_table("stg_payments", CONTRACTS["card_payments"])
    assert {("orphans(ride_event_id) < 5 %", "warn"), ("orphans(customer_id) < 5 %", "warn")} < checks(
        declarations(table)
    )
    assert {other for survey in table.surveys for other in survey.reads} == {"silver.stg_rides", "silver.stg_customers"}
    alone = gated_table("silver", "stg_payments", {"card_payments": CONTRACTS["card_payments"]})
    assert alone.surveys == ()


def test_a_suite_has_the_same_fingerprint_whenever_it_is_made_and_another_one_has_another(tmp_path: Path) -> None:
    def told(*quality: str) -> str:
        return fingerprint(gated_table("bronze", "parcels", {"parcels": parcels(tmp_path, *quality)}))

    assert told() == told()
    more = told("metric: nullValues, columns: [note], mustBe: 0")
    assert len({told(), more, told("metric: nullValues, columns: [note], mustBe: 0, severity: warn")}) == 3


def test_every_table_that_dbt_makes_has_a_gate() -> None:
    folder = ROOT / "dbt_project/models"
    models = {layer: {path.stem for path in (folder / layer).rglob("*.sql")} for layer in ("silver", "gold")}
    views = {path.stem for path in folder.rglob("intermediate/*.sql")} | {"combined_metrics"}
    assert len(views) == 5
    gated = gated_tables(CONTRACTS)
    assert {layer: names - views for layer, names in models.items()} == {layer: set(gated[layer]) for layer in models}
    assert {*STAGED} <= models["silver"] and {*dbt_models.GOLD} <= models["gold"]


@pytest.mark.parametrize(
    ("layer", "name"), [("bronze", "nothing"), ("silver", "ride_events"), ("brass", "ride_events"), ("bronze", "")]
)
def test_table_without_a_gate_is_refused_with_those_that_have_one(layer: str, name: str) -> None:
    with pytest.raises(NoSuchTable, match=r"bronze\.ride_events"):
        gated_table(layer, name, CONTRACTS)


@pytest.mark.parametrize(
    ("bounds", "broken", "rows", "holds"),
    [
        ({"must_be_less_than": 5}, 4, 100, True),
        ({"must_be_less_than": 5}, 5, 100, False),
        ({"must_be_less_than": 5, "in_percent": True}, 9, 200, True),
        ({"must_be_less_than": 5, "in_percent": True}, 10, 200, False),
        ({"must_be_greater_than": 5}, 5, 100, False),
        ({"must_be_greater_than": 5}, 6, 100, True),
        ({"must_be_greater_than": 1, "must_be_less_than": 3}, 3, 100, False),
        ({"must_be": 2}, 2, 100, True),
        ({"must_be": 2}, 3, 100, False),
        ({"must_be": 0}, None, 0, True),
        ({"must_be_less_than": 5, "in_percent": True}, 0, 0, True),
    ],
)
def test_bounds_are_strict_and_count_every_row(
    bounds: Mapping[str, Any], broken: int | None, rows: int, holds: bool
) -> None:
    expectation = ExpectBrokenRowsToBeBounded(column="note", rule="true", **bounds)
    assert expectation.holds({"element_count": rows, "unexpected_count": broken}) is holds
