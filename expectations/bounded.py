"""Expectations that Great Expectations lacks: how many rows may break a rule, in rows or percent of all rows.

Great Expectations has `mostly`, a share of the values that are not null, inclusive. A contract's bounds are strict, may
be rows, and count every row.
"""

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from great_expectations.compatibility.pyspark import functions as F
from great_expectations.execution_engine import ExecutionEngine, SparkDFExecutionEngine
from great_expectations.expectations.core import ExpectColumnValuesToBeUnique, ExpectCompoundColumnsToBeUnique
from great_expectations.expectations.expectation import BatchExpectation, ColumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    column_condition_partial,
)


class ColumnValuesKeepRule(ColumnMapMetricProvider):
    """Rows of which a rule, a condition in Spark's SQL, is true; the others are unexpected."""

    condition_metric_name = "column_values.keep_rule"
    condition_value_keys = ("rule",)
    filter_column_isnull = False  # the rule says what a null is

    @column_condition_partial(engine=SparkDFExecutionEngine)
    def _spark(cls, column: object, rule: str, **_: object) -> object:  # noqa: N805 (Great Expectations passes the class)
        return F.expr(rule)


class Bounded(BatchExpectation, ABC):
    """What the expectations below share: bounds on the count of rows that break the rule."""

    must_be: float | None = None
    must_be_greater_than: float | None = None
    must_be_less_than: float | None = None
    in_percent: bool = False

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: ExecutionEngine[Any] | None = None,
    ) -> dict[str, Any]:
        # Each class below has a map expectation behind this one, whose `_validate` gives a dict.
        judged = super()._validate(metrics, runtime_configuration, execution_engine)  # type: ignore[safe-super]
        counted = cast("dict[str, Any]", judged)
        return counted | {"success": self.holds(counted["result"])}

    def holds(self, counted: Mapping[str, Any]) -> bool:
        """Tell whether the bounds hold.

        Args:
            counted: a map expectation's result: `unexpected_count` of `element_count` rows.
        """
        rows = int(counted["element_count"] or 0)
        broken = float(counted["unexpected_count"] or 0)
        if self.in_percent:
            broken = 100 * broken / rows if rows else 0.0
        return (
            (self.must_be is None or broken == self.must_be)
            and (self.must_be_greater_than is None or broken > self.must_be_greater_than)
            and (self.must_be_less_than is None or broken < self.must_be_less_than)
        )


class ExpectBrokenRowsToBeBounded(Bounded, ColumnMapExpectation):
    """Expect that so many rows break a rule about a column."""

    rule: str

    map_metric: ClassVar[str] = "column_values.keep_rule"
    success_keys: ClassVar[tuple[str, ...]] = ("rule",)  # what the metric is told


class ExpectDuplicatesToBeBounded(Bounded, ExpectColumnValuesToBeUnique):
    """Expect that so many rows have a value that another row has too."""


class ExpectCompoundDuplicatesToBeBounded(Bounded, ExpectCompoundColumnsToBeUnique):
    """Expect that so many rows have values that another row has too."""
