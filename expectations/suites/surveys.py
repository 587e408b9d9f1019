"""Numbers that no expectation finds row by row: how one day compares with others, and one table with another.

A survey is one query that gives a row of numbers. The gate puts them beside the rows that it judges, as columns, so
that Great Expectations judges them in the same pass and shows them in the same report.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from great_expectations.expectations.core import ExpectColumnMinToBeBetween
from great_expectations.expectations.expectation import Expectation

from expectations.suites.declared import declared
from expectations.verdict import Severity

# What a query may name in braces: the table's rows at its version, those of them that are settled, and the good ones of
# those; what the ledger says of their count; and each other table that it reads, `{silver_stg_rides}`.
EVERY, SETTLED, JUDGED = "every", "settled", "judged"
LEDGER_LEAST, LEDGER_MOST = "ledger_least", "ledger_most"


@dataclass(frozen=True)
class Survey:
    """One query of numbers."""

    query: str
    numbers: tuple[str, ...]  # the columns it gives
    reads: tuple[str, ...] = ()  # other tables, `<layer>.<table>`


@dataclass(frozen=True)
class Bound:
    """Where a number must be."""

    above: float | None = None
    below: float | None = None
    exactly: float | None = None

    @property
    def words(self) -> str:
        """Say it: `> -25 and < 100`."""
        said = ((">", self.above), ("<", self.below), ("=", self.exactly))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in said if bound is not None)

    def limits(self) -> dict[str, Any]:
        """Give it as Great Expectations' arguments."""
        if self.exactly is not None:
            return {"min_value": self.exactly, "max_value": self.exactly}
        above = {} if self.above is None else {"min_value": self.above, "strict_min": True}
        return above if self.below is None else above | {"max_value": self.below, "strict_max": True}


def surveyed(
    number: str,
    name: str,
    columns: Sequence[str],
    severity: Severity,
    bound: Bound,
    *,
    unit: str = "",
    says: str,
    rows: str = "",
) -> Expectation:
    """Expect a survey's number within bounds.

    Args:
        number: the column that the survey gives; every row has the same value.
        says: what the number is, for the report.
        rows: the condition of the rows that are meant, in Spark's SQL, among those that are settled.
    """
    expectation = ExpectColumnMinToBeBetween(column=number, **bound.limits())
    words = f"{bound.words} {unit}".rstrip()
    expectation.description = f"{says}: {words}"
    return declared(expectation, name, columns, severity, bound=words, unit=unit, rows=rows, of_settled=bool(rows))


def called(table: str) -> str:
    """Give the name by which queries call another table."""
    return "{" + table.replace(".", "_") + "}"
