"""The quality checks that a contract declares, as expectations."""

from collections.abc import Callable, Iterator
from math import ceil, floor
from typing import Any

from great_expectations.expectations.core import ExpectColumnMinToBeBetween, ExpectTableRowCountToBeBetween
from great_expectations.expectations.expectation import Expectation

from expectations.bounded import (
    ExpectBrokenRowsToBeBounded,
    ExpectCompoundDuplicatesToBeBounded,
    ExpectDuplicatesToBeBounded,
)
from expectations.suites.declared import declared, doubled_rule, not_null, unique
from expectations.suites.limits import filled_rule, limit_expectations, limits_rule, type_expectation
from expectations.suites.surveys import Bound, surveyed
from tidemark import bronze
from tidemark.contracts import Check, Column, Contract, ContractError, Layer, Metric
from tidemark.names import quoted

HELD_BACK = f"size({bronze.ERRORS}) > 0"
SECONDS_OLD = "_seconds_old"  # how much older than the table's version a row's event time is; the gate adds it


_COMMON_QUARANTINE = Check(metric="quarantinedRows", must_be_less_than=5, unit="percent", severity="warn")


def declared_checks(contract: Contract, layer: Layer) -> Iterator[Expectation]:
    """Give the expectations of all checks of a layer.

    Raises:
        ContractError: a check can't be judged as it is written.
    """
    for check in contract.quality:
        if check.layer == layer and check.metric in _EXPECTED:
            yield from _EXPECTED[check.metric](check, contract)


def quarantine_checks(contract: Contract) -> Iterator[Expectation]:
    """Expect no more rows in quarantine than the contract allows; where it does not say, a common bound warns."""
    own = [check for check in contract.quality if check.metric == "quarantinedRows"]
    for check in own or [_COMMON_QUARANTINE]:
        yield surveyed(
            "_held_back",
            "quarantined",
            (),
            check.severity,
            Bound(below=check.must_be_less_than),
            unit="%",
            says="the share of rows that are held back",
            rows=HELD_BACK,
        )


def _nulls(check: Check, contract: Contract) -> Iterator[Expectation]:
    for column in _columns(check, contract):
        if _allows_none(check):
            yield not_null(column.name, check.severity, is_required=column.required)
        else:
            yield _broken_rows(check, column, "nulls", f"{quoted(column.name)} IS NOT NULL")


def _missing(check: Check, contract: Contract) -> Iterator[Expectation]:
    for column in _columns(check, contract):
        yield _broken_rows(check, column, "missing", filled_rule(column))


def _invalid(check: Check, contract: Contract) -> Iterator[Expectation]:
    for column in _columns(check, contract):
        if _allows_none(check):
            # Where there are no limits, only another type is invalid.
            yield from list(limit_expectations(column, check.severity)) or [type_expectation(column, check.severity)]
        else:
            yield _broken_rows(check, column, "invalid", limits_rule(column))


def _duplicates(check: Check, _: Contract) -> Iterator[Expectation]:
    if _allows_none(check):
        yield unique(check.columns, check.severity)
        return
    words = _in_words(check)
    expectation: Expectation
    if len(check.columns) == 1:
        expectation = ExpectDuplicatesToBeBounded(column=check.columns[0], **_bounds(check))
    else:
        expectation = ExpectCompoundDuplicatesToBeBounded(column_list=list(check.columns), **_bounds(check))
    expectation.description = f"rows that share their {', '.join(check.columns)} with another row: {words}"
    rows = doubled_rule(check.columns)
    yield declared(expectation, "duplicates", check.columns, check.severity, bound=words, rows=rows)


def _row_count(check: Check, contract: Contract) -> Iterator[Expectation]:
    _refuse_no_count_of_rows(check, contract)
    count = ExpectTableRowCountToBeBetween
    exact, above, below = check.must_be, check.must_be_greater_than, check.must_be_less_than
    if exact is not None:
        exactly = count(min_value=int(exact), max_value=int(exact))
        yield declared(exactly, "row_count", (), check.severity, bound=f"= {exact:g}")
    if above is not None:
        more = count(min_value=floor(above), strict_min=True)
        yield declared(more, "row_count", (), check.severity, bound=f"> {above:g}")
    if below is not None:
        fewer = count(max_value=ceil(below), strict_max=True)
        yield declared(fewer, "row_count", (), check.severity, bound=f"< {below:g}")


def _refuse_no_count_of_rows(check: Check, contract: Contract) -> None:
    problems = []
    if check.unit == "percent":
        problems.append("found unit 'percent'; allowed is 'rows'")
    if check.must_be is not None and not check.must_be.is_integer():
        problems.append(f"found mustBe {check.must_be:g}; allowed is a whole number")
    for problem in problems:
        raise ContractError(f"{contract.id}: quality: rowCount: {problem}", "correct the contract")


def _freshness(check: Check, contract: Contract) -> Iterator[Expectation]:
    expectation = ExpectColumnMinToBeBetween(column=SECONDS_OLD, max_value=check.within_seconds)
    expectation.description = f"the newest {contract.event_time}: at most {check.within} before the judged version"
    columns = (contract.event_time,)
    bound = f"within {check.within}"
    yield declared(expectation, "freshness", columns, check.severity, bound=bound, unit="seconds old")


_EXPECTED: dict[Metric, Callable[[Check, Contract], Iterator[Expectation]]] = {
    "nullValues": _nulls,
    "missingValues": _missing,
    "invalidValues": _invalid,
    "duplicateValues": _duplicates,
    "rowCount": _row_count,
    "freshness": _freshness,
}


def _broken_rows(check: Check, column: Column, name: str, rule: str) -> Expectation:
    words = _in_words(check)
    expectation = ExpectBrokenRowsToBeBounded(column=column.name, rule=rule, **_bounds(check))
    expectation.description = f"rows with {name} {column.name}: {words}"
    where, broken = (column.name,), f"NOT ({rule})"
    return declared(expectation, name, where, check.severity, bound=words, is_required=column.required, rows=broken)


def _columns(check: Check, contract: Contract) -> list[Column]:
    return [contract.by_name[name] for name in check.columns]


def _allows_none(check: Check) -> bool:
    return check.must_be == 0 and check.must_be_greater_than is None and check.must_be_less_than is None


def _bounds(check: Check) -> dict[str, Any]:
    bounds = check.model_dump(include={"must_be", "must_be_greater_than", "must_be_less_than"})
    return bounds | {"in_percent": check.unit == "percent"}


def _in_words(check: Check) -> str:
    """Write a check's bounds: `< 5 %`, `= 0`."""
    bounds = (("=", check.must_be), (">", check.must_be_greater_than), ("<", check.must_be_less_than))
    unit = " %" if check.unit == "percent" else ""
    return " and ".join(f"{sign} {bound:g}{unit}" for sign, bound in bounds if bound is not None)
