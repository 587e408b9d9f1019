"""A table with a gate."""

from dataclasses import dataclass

from great_expectations.core import ExpectationSuite

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
