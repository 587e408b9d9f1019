"""A table with a gate."""

from dataclasses import dataclass, replace

from great_expectations.core import ExpectationSuite

from expectations.suites.surveys import Survey
from tidemark.errors import TidemarkError


class NoSuchTable(TidemarkError):
    """There is no such table, or none that has a gate."""


@dataclass(frozen=True)
class GatedTable:
    """What of a table is judged, and by which suite."""

    layer: str
    name: str
    suite: ExpectationSuite
    columns: tuple[str, ...]  # what is read; one that the table lacks is left to the suite, which fails
    key: tuple[str, ...]  # names a row in the report
    where: str = "true"  # the rows that are judged, as a condition in Spark's SQL
    event_time: str = ""  # what freshness goes by; empty: nothing does
    surveys: tuple[Survey, ...] = ()  # numbers that the suite judges beside the rows
    contract: str = ""  # whose good rows these are; empty: of no contract alone
    contract_version: str = ""
    may_be_empty: bool = False  # no row is as good as any; else an empty table proves nothing, and fails
    personal: frozenset[str] = frozenset()  # columns whose values no report shows

    @property
    def full_name(self) -> str:
        """Layer and name."""
        return f"{self.layer}.{self.name}"

    @property
    def unsurveyed(self) -> "GatedTable":
        """Leave the surveys out: their numbers stand beside rows, so where there is no row there are none."""
        numbers = {number for survey in self.surveys for number in survey.numbers}
        rest = [each for each in self.suite.expectations if each.configuration.kwargs.get("column") not in numbers]
        return replace(self, suite=ExpectationSuite(name=self.suite.name, expectations=rest), surveys=())
