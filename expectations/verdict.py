"""The verdict: what the checks that were declared and the results that came back amount to.

Great Expectations alone passes an empty batch, a column of nothing but nulls, and whatever was not evaluated: here each
of these fails, but for an empty batch of a table that may be empty. Nothing here knows Great Expectations; its results
come in as their JSON.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tidemark.quarantine import MASK

Severity = Literal["fail", "warn"]
Outcome = Literal["pass", "warn", "fail"]
Result = Mapping[str, Any]

_SHOWN = 5

ROW_COUNT = "expect_table_row_count_to_be_between"


@dataclass(frozen=True)
class Declared:
    """A check as the suite declares it."""

    check: str  # its name within the suite, as people read it: `not_null(amount)`
    expectation: str  # Great Expectations' own name of it
    columns: tuple[str, ...]
    severity: Severity
    is_required: bool = False  # a column of nothing but nulls fails, whatever the check tolerates
    unit: str = ""  # of the value that is observed
    # Which rows are not as expected, as a condition in Spark's SQL; `{rows}` in it is all that are judged.
    rows: str = ""
    of_settled: bool = False  # among the settled rows, good or bad; else among those that are judged

    def to_meta(self) -> dict[str, Any]:
        """Write it as the expectation's `meta`, by which a result is known again."""
        return asdict(self) | {"columns": list(self.columns)}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "Declared":
        """Read it from an expectation's `meta`."""
        return cls(**{**meta, "columns": tuple(meta["columns"])})


@dataclass(frozen=True)
class Finding:
    """What became of one check."""

    check: str
    expectation: str
    columns: tuple[str, ...]
    severity: Severity
    observed: str
    verdict: Outcome
    reason: str = ""
    rows: tuple[Mapping[str, Any], ...] = ()  # the keys of a few rows that are not as expected
    query: str = ""  # lists all of them


@dataclass(frozen=True)
class Verdict:
    """What became of all checks of a gate."""

    findings: tuple[Finding, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of all."""
        found = {finding.verdict for finding in self.findings}
        return "fail" if "fail" in found else "warn" if "warn" in found else "pass"

    def with_verdict(self, outcome: Outcome) -> list[Finding]:
        """Give the findings with one verdict."""
        return [finding for finding in self.findings if finding.verdict == outcome]


def judge(
    declared: Sequence[Declared],
    results: Sequence[Result],
    personal: Collection[str] = (),
    *,
    may_be_empty: bool = False,
) -> Verdict:
    """Judge the results of a suite by what was declared.

    Args:
        results: `results` of Great Expectations' validation result, as JSON.
        personal: columns whose values are not shown.
        may_be_empty: a batch without a row is as good as any; else it proves nothing, and fails.
    """
    counts = {_rows(result) for result in results} - {None}
    is_void = 0 in counts and not (may_be_empty and counts == {0})
    by_check: dict[str, list[Result]] = {}
    for result in results:
        by_check.setdefault(_check_of(result), []).append(result)
    findings = [_finding(check, by_check.pop(check.check, []), personal) for check in declared]
    findings += [defect(name or "?", "it was evaluated, but never declared") for name in by_check]
    void = [defect("batch", "it is empty: there is not one row to judge")] if is_void else []
    return Verdict((*_defects(declared), *void, *findings))


def _defects(declared: Sequence[Declared]) -> Iterable[Finding]:
    """Find what is wrong with the suite as a whole."""
    if not declared:
        yield defect("suite", "it declares no expectation, so it proves nothing")
    names = [check.check for check in declared]
    for doubled in sorted({name for name in names if names.count(name) > 1}):
        yield defect(doubled, "it is declared twice")


def _finding(check: Declared, results: Sequence[Result], personal: Collection[str]) -> Finding:
    if len(results) != 1:
        return _as_found(check, "", "fail", f"it was evaluated {len(results)} times instead of once")
    result = results[0]
    raised = _raised(result.get("exception_info"))
    if raised is not None:
        return _as_found(check, "", "fail", f"it raised: {raised}")
    observed = _observed(result.get("result") or {}, check.unit)
    if check.is_required and _is_all_null(result):
        return _as_found(check, observed, "fail", "every value of a required column is null")
    if result.get("success") is not True:
        found = _as_found(check, observed, check.severity, "it is not met")
        return replace(found, rows=tuple(_keys(result.get("result") or {}, personal))[:_SHOWN])
    return _as_found(check, observed, "pass", "")


def _as_found(check: Declared, observed: str, verdict: Outcome, reason: str) -> Finding:
    return Finding(check.check, check.expectation, check.columns, check.severity, observed, verdict, reason)


def defect(what: str, reason: str) -> Finding:
    """Give a failure that is of no check."""
    return Finding(what, "", (), "fail", "", "fail", reason)


def _check_of(result: Result) -> str:
    meta = (result.get("expectation_config") or {}).get("meta") or {}
    return str(meta.get("check", ""))


def _rows(result: Result) -> int | None:
    """Give how many rows an expectation saw; None where it doesn't say."""
    values = result.get("result") or {}
    is_row_count = (result.get("expectation_config") or {}).get("type") == ROW_COUNT
    rows = values.get("observed_value") if is_row_count else values.get("element_count")
    return None if rows is None else int(rows)


def _is_all_null(result: Result) -> bool:
    values = result.get("result") or {}
    rows = values.get("element_count") or 0
    # What expects no nulls reports them as unexpected, and counts none as missing.
    return rows > 0 and values.get("missing_count", values.get("unexpected_count")) == rows


def _keys(values: Mapping[str, Any], personal: Collection[str]) -> Iterable[Mapping[str, Any]]:
    names = values.get("unexpected_index_column_names") or ()
    for row in values.get("partial_unexpected_index_list") or ():
        yield {name: MASK if name in personal else row.get(name) for name in names}


def _raised(info: Any) -> str | None:
    """Give the message of the exception that an expectation raised; None where it raised none.

    Args:
        info: `exception_info`: one record, or one of each metric that failed, by its id.
    """
    if not isinstance(info, Mapping):
        return None
    if info.get("raised_exception"):
        text = str(info.get("exception_message") or "no message").strip()
        return text.splitlines()[0]
    nested = (_raised(value) for value in info.values())
    return next((message for message in nested if message is not None), None)


def _observed(values: Mapping[str, Any], unit: str) -> str:
    """Say what an expectation saw."""
    if "observed_value" in values:
        value = values["observed_value"]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return f"{value:,} {unit}".strip() if is_number else str(value)
    rows = values.get("element_count")
    if rows is None:
        return ""
    broken = values.get("unexpected_count") or 0
    share = f" ({100 * broken / rows:.2g} %)" if broken and rows else ""
    return f"{broken:,} of {rows:,} rows{share}"
