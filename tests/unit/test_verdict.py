"""Verdicts follow from what was declared and from results, written here as Great Expectations writes them."""

from collections.abc import Sequence
from typing import Any

import pytest

from expectations.pinned import Pin
from expectations.report import Judged, summary
from expectations.verdict import Declared, Verdict, judge
from tidemark.ledger import Commit
from tidemark.quarantine import MASK

pytestmark = pytest.mark.unit

ROWS = Declared("row_count > 0", "expect_table_row_count_to_be_between", (), "fail")
COUNT = Declared("row_count >= 0", ROWS.expectation, (), "fail")
NOTE = Declared("not_null(note)", "expect_column_values_to_not_be_null", ("note",), "fail", is_required=True)
SIZE = Declared("enum(size)", "expect_column_values_to_be_in_set", ("size",), "warn")


def result(declared: Declared, success: bool = True, /, **values: Any) -> dict[str, Any]:
    """Give a result as Great Expectations writes it."""
    return {
        "success": success,
        "expectation_config": {"type": declared.expectation, "meta": declared.to_meta()},
        "exception_info": {"raised_exception": False, "exception_message": None},
        "result": values,
    }


GOOD = [
    result(ROWS, observed_value=10),
    result(NOTE, element_count=10, unexpected_count=0),
    result(SIZE, element_count=10, unexpected_count=0, missing_count=0),
]


def verdict(*changed: dict[str, Any], without: Sequence[Declared] = ()) -> Verdict:
    """Judge the good results, some replaced or left out."""
    by_check = {each["expectation_config"]["meta"]["check"]: each for each in (*GOOD, *changed)}
    for each in without:
        del by_check[each.check]
    return judge([ROWS, NOTE, SIZE], list(by_check.values()))


def reasons(judged: Verdict) -> list[tuple[str, str]]:
    return [(each.check, each.reason) for each in judged.with_verdict("fail")]


def test_all_met_passes() -> None:
    judged = verdict()
    assert judged.outcome == "pass"
    assert [each.observed for each in judged.findings] == ["10", "0 of 10 rows", "0 of 10 rows"]


def test_failed_check_fails() -> None:
    judged = verdict(result(NOTE, False, element_count=10, unexpected_count=1))
    assert judged.outcome == "fail"
    assert reasons(judged) == [("not_null(note)", "it is not met")]
    assert judged.with_verdict("fail")[0].observed == "1 of 10 rows (10 %)"


def test_a_personal_key_is_masked_in_the_rows_that_are_named() -> None:
    found = {
        "unexpected_index_column_names": ["note", "id"],
        "partial_unexpected_index_list": [{"note": "Erna", "id": 1}],
    }
    (finding,) = judge([NOTE], [result(NOTE, False, element_count=10, unexpected_count=1, **found)], {"note"}).findings
    assert finding.rows == ({"note": MASK, "id": 1},)


def test_warning_is_reported_and_does_not_fail() -> None:
    judged = verdict(result(SIZE, False, element_count=10, unexpected_count=1, missing_count=0))
    assert judged.outcome == "warn"
    assert [each.check for each in judged.with_verdict("warn")] == ["enum(size)"]


@pytest.mark.parametrize(
    "info",
    [
        {"raised_exception": True, "exception_message": "no such column\nat line 1"},
        {"('metric', '1', ())": {"raised_exception": True, "exception_message": "no such column"}},
    ],
)
def test_expectation_that_raised_fails_even_as_a_warning(info: dict[str, Any]) -> None:
    judged = verdict({**result(SIZE), "exception_info": info})
    assert reasons(judged) == [("enum(size)", "it raised: no such column")]


@pytest.mark.parametrize(
    ("rows_of_note", "reason"),
    [
        (0, []),
        (3, [("batch", "it is empty: there is not one row to judge")]),
        (None, [("not_null(note)", "it was evaluated 0 times instead of once")]),
    ],
)
def test_where_there_may_be_no_row_only_that_is_pardoned(
    rows_of_note: int | None, reason: list[tuple[str, str]]
) -> None:
    found = [result(COUNT, observed_value=0)]
    if rows_of_note is not None:
        found.append(result(NOTE, element_count=rows_of_note, unexpected_count=0))
    assert reasons(judge([COUNT, NOTE], found, may_be_empty=True)) == reason


def test_expectation_that_was_not_evaluated_fails_even_as_a_warning() -> None:
    assert reasons(verdict(without=[SIZE])) == [("enum(size)", "it was evaluated 0 times instead of once")]


def test_as_many_results_as_declarations_do_not_make_up_for_a_missing_one() -> None:
    other = Declared("enum(colour)", SIZE.expectation, ("colour",), "warn")
    judged = judge([ROWS, NOTE, SIZE], [*GOOD[:2], result(other, element_count=10, unexpected_count=0)])
    assert {check for check, _ in reasons(judged)} == {"enum(size)", "enum(colour)"}


def test_expectation_that_was_evaluated_twice_fails() -> None:
    judged = judge([ROWS, NOTE, SIZE], [*GOOD, GOOD[2]])
    assert reasons(judged) == [("enum(size)", "it was evaluated 2 times instead of once")]


def test_check_that_is_declared_twice_fails() -> None:
    assert ("enum(size)", "it is declared twice") in reasons(judge([ROWS, NOTE, SIZE, SIZE], GOOD))


def test_result_without_a_name_fails() -> None:
    nameless = {**GOOD[2], "expectation_config": {"type": SIZE.expectation, "meta": {}}}
    assert ("?", "it was evaluated, but never declared") in reasons(judge([ROWS, NOTE], [*GOOD[:2], nameless]))


def test_required_column_of_nothing_but_nulls_fails_though_the_check_tolerates_it() -> None:
    tolerant = Declared("nulls(note) < 200 %", "expect_broken_rows_to_be_bounded", ("note",), "warn", is_required=True)
    as_unexpected = result(tolerant, element_count=10, unexpected_count=10)
    as_missing = result(tolerant, element_count=10, unexpected_count=0, missing_count=10)
    for counted in (as_unexpected, as_missing):
        judged = judge([ROWS, tolerant], [GOOD[0], counted])
        assert reasons(judged) == [("nulls(note) < 200 %", "every value of a required column is null")]


def test_optional_column_of_nothing_but_nulls_passes() -> None:
    assert verdict(result(SIZE, element_count=10, unexpected_count=0, missing_count=10)).outcome == "pass"


def test_empty_batch_fails_though_every_expectation_says_it_is_met() -> None:
    empty = [result(ROWS, observed_value=0), result(NOTE, element_count=0, unexpected_count=None)]
    judged = judge([ROWS, NOTE], empty)
    assert reasons(judged) == [("batch", "it is empty: there is not one row to judge")]


def test_suite_without_expectations_fails() -> None:
    assert reasons(judge([], [])) == [("suite", "it declares no expectation, so it proves nothing")]


def test_success_that_is_not_true_fails() -> None:
    assert verdict({**result(NOTE, element_count=10, unexpected_count=0), "success": None}).outcome == "fail"


def test_summary_names_what_failed_in_one_line() -> None:
    failed = verdict(result(NOTE, False, element_count=10, unexpected_count=1))
    version = Commit(3, "WRITE", 0, True, None, None)
    line = summary(Judged("bronze.parcels", Pin(version), failed, None, 1.0, "0f"))
    assert line.startswith("fail: bronze.parcels version 3: not_null(note) [expect_column_values_to_not_be_null]")
    assert "\n" not in line
