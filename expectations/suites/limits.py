"""What a contract says of a column, as expectations, and as one rule in Spark's SQL."""

from collections.abc import Iterator

from great_expectations.expectations.core import (
    ExpectColumnValueLengthsToBeBetween,
    ExpectColumnValuesToBeBetween,
    ExpectColumnValuesToBeInSet,
    ExpectColumnValuesToBeOfType,
    ExpectColumnValuesToMatchRegex,
)
from great_expectations.expectations.expectation import Expectation

from expectations.suites.declared import declared, not_null
from expectations.verdict import Severity
from streaming.schema import spark_type
from tidemark.contracts import Column, Contract
from tidemark.names import literal, quoted


def column_expectations(contract: Contract, column: Column) -> Iterator[Expectation]:
    """Expect all that the contract says of a column: its type, its values where it is required, its limits."""
    yield type_expectation(column, "fail")
    if contract.always_has(column):
        yield not_null(column.name, "fail")
    yield from limit_expectations(column, "fail")


def type_expectation(column: Column, severity: Severity) -> Expectation:
    """Expect the contract's type."""
    of_type = ExpectColumnValuesToBeOfType(column=column.name, type_=type(spark_type(column)).__name__)
    return declared(of_type, "type", (column.name,), severity)


def limit_expectations(column: Column, severity: Severity) -> Iterator[Expectation]:
    """Expect every value within the contract's limits; a null is within them."""
    where = (column.name,)
    if column.minimum is not None or column.maximum is not None:
        between = ExpectColumnValuesToBeBetween(column=column.name, min_value=column.minimum, max_value=column.maximum)
        yield declared(between, "range", where, severity, rows=_broken(_in_range(column)))
    if column.max_length is not None:
        short = ExpectColumnValueLengthsToBeBetween(column=column.name, max_value=column.max_length)
        yield declared(short, "length", where, severity, rows=_broken(_in_length(column)))
    if column.pattern is not None:
        matching = ExpectColumnValuesToMatchRegex(column=column.name, regex=_whole(column.pattern))
        yield declared(matching, "pattern", where, severity, rows=_broken(_in_pattern(column)))
    if column.enum is not None:
        known = ExpectColumnValuesToBeInSet(column=column.name, value_set=list(column.enum))
        yield declared(known, "enum", where, severity, rows=_broken(_in_enum(column)))


def limits_rule(column: Column) -> str:
    """Give the condition that a value within all of the contract's limits fulfils; a null does."""
    conditions = [*_in_range(column), *_in_length(column), *_in_pattern(column), *_in_enum(column)]
    return f"coalesce({' AND '.join(conditions) or 'true'}, true)"


def filled_rule(column: Column) -> str:
    """Give the condition that a value fulfils which is neither null nor blank text."""
    name = quoted(column.name)
    if column.logical_type != "string":
        return f"{name} IS NOT NULL"
    return f"coalesce({name} RLIKE '\\\\S', false)"


def _in_range(column: Column) -> list[str]:
    name, limits = quoted(column.name), ((">=", column.minimum), ("<=", column.maximum))
    return [f"{name} {sign} {limit!r}" for sign, limit in limits if limit is not None]


def _in_length(column: Column) -> list[str]:
    most = column.max_length
    return [] if most is None else [f"char_length({quoted(column.name)}) <= {most}"]


def _in_pattern(column: Column) -> list[str]:
    return [] if column.pattern is None else [f"{quoted(column.name)} RLIKE {literal(_whole(column.pattern))}"]


def _in_enum(column: Column) -> list[str]:
    return [] if column.enum is None else [f"{quoted(column.name)} IN ({', '.join(map(literal, column.enum))})"]


def _broken(conditions: list[str]) -> str:
    return f"NOT ({' AND '.join(conditions)})"


def _whole(pattern: str) -> str:
    # The stream judges by the same words.
    return rf"\A(?:{pattern})\z"
