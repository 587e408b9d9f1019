"""Expectations as our suites declare them: each with its name, its columns and its consequence."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from great_expectations.core import ExpectationSuite
from great_expectations.expectations.core import (
    ExpectColumnValuesToBeBetween,
    ExpectColumnValuesToBeUnique,
    ExpectColumnValuesToNotBeNull,
    ExpectCompoundColumnsToBeUnique,
    ExpectTableRowCountToBeBetween,
)
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.verdict import Declared, Severity
from tidemark.names import quoted

AnyExpectation = TypeVar("AnyExpectation", bound=Expectation)


def declared(
    expectation: AnyExpectation,
    name: str,
    columns: Sequence[str],
    severity: Severity,
    *,
    bound: str = "",
    is_required: bool = False,
    unit: str = "",
    rows: str = "",
    of_settled: bool = False,
) -> AnyExpectation:
    """Give an expectation its consequence, and its name, by which its result is known again: `nulls(amount) < 5 %`.

    Args:
        rows: the condition of the rows that are not as expected, in Spark's SQL.
        of_settled: whether those are looked for among all settled rows, the bad ones too.
    """
    check = (f"{name}({', '.join(columns)})" if columns else name) + (f" {bound}" if bound else "")
    kind = expectation.expectation_type
    described = Declared(check, kind, tuple(columns), severity, is_required, unit, rows, of_settled)
    expectation.meta = described.to_meta()
    if severity == "warn":
        expectation.description = f"{expectation.description or check} (only a warning)"
    expectation.severity = FailureSeverity.CRITICAL if severity == "fail" else FailureSeverity.WARNING
    return expectation


def declaration_of(expectation: Expectation) -> Declared:
    """Read back what was declared of an expectation."""
    return Declared.from_meta(expectation.meta or {})


def suite_of(name: str, expectations: Iterable[Expectation], *, may_be_empty: bool = False) -> ExpectationSuite:
    """Make a suite: a table must have a row; what is declared twice is checked once, by the stricter severity."""
    by_check: dict[str, Expectation] = {}
    for expectation in (counted_rows() if may_be_empty else at_least_one_row(), *expectations):
        check = declaration_of(expectation).check
        earlier = by_check.get(check)
        if earlier is None or declaration_of(earlier).severity == "warn":
            by_check[check] = expectation
    return ExpectationSuite(name=name, expectations=list(by_check.values()))


def at_least_one_row() -> Expectation:
    """Expect a row: of no rows, anything is true."""
    floor = ExpectTableRowCountToBeBetween(min_value=0, strict_min=True)
    return declared(floor, "row_count", (), "fail", bound="> 0")


def counted_rows() -> Expectation:
    """Expect any number of rows: it is known how many were judged."""
    return declared(ExpectTableRowCountToBeBetween(min_value=0), "row_count", (), "fail", bound=">= 0")


def not_null(column: str, severity: Severity, *, is_required: bool = True) -> Expectation:
    """Expect no nulls."""
    expectation = ExpectColumnValuesToNotBeNull(column=column)
    rows = f"{quoted(column)} IS NULL"
    return declared(expectation, "not_null", (column,), severity, is_required=is_required, rows=rows)


def unique(columns: Sequence[str], severity: Severity) -> Expectation:
    """Expect no two rows with the same values."""
    expectation: Expectation
    if len(columns) == 1:
        expectation = ExpectColumnValuesToBeUnique(column=columns[0])
    else:
        expectation = ExpectCompoundColumnsToBeUnique(column_list=list(columns))
    return declared(expectation, "unique", columns, severity, rows=doubled_rule(columns))


def doubled_rule(columns: Sequence[str]) -> str:
    """Give the condition of a row that has the values of another row."""
    names = ", ".join(map(quoted, columns))
    return f"({names}) IN (SELECT {names} FROM {{rows}} GROUP BY {names} HAVING count(*) > 1)"


def at_least(column: str, minimum: float, severity: Severity) -> Expectation:
    """Expect no value below a minimum."""
    expectation = ExpectColumnValuesToBeBetween(column=column, min_value=minimum)
    rows = f"{quoted(column)} < {minimum!r}"
    return declared(expectation, "range", (column,), severity, bound=f">= {minimum:g}", rows=rows)
