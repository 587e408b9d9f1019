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
        yield declared(between, "range", where, severity)
    if column.max_length is not None:
        short = ExpectColumnValueLengthsToBeBetween(column=column.name, max_value=column.max_length)
        yield declared(short, "length", where, severity)
    if column.pattern is not None:
        matching = ExpectColumnValuesToMatchRegex(column=column.name, regex=_whole(column.pattern))
        yield declared(matching, "pattern", where, severity)
    if column.enum is not None:
        known = ExpectColumnValuesToBeInSet(column=column.name, value_set=list(column.enum))
        yield declared(known, "enum", where, severity)


def limits_rule(column: Column) -> str:
    """Give the condition that a value within all of the contract's limits fulfils; a null does."""
    name = quoted(column.name)
    conditions = [
        None if column.minimum is None else f"{name} >= {column.minimum!r}",
        None if column.maximum is None else f"{name} <= {column.maximum!r}",
        None if column.max_length is None else f"char_length({name}) <= {column.max_length}",
        None if column.pattern is None else f"{name} RLIKE {literal(_whole(column.pattern))}",
        None if column.enum is None else f"{name} IN ({', '.join(map(literal, column.enum))})",
    ]
    return f"coalesce({' AND '.join(filter(None, conditions)) or 'true'}, true)"


def filled_rule(column: Column) -> str:
    """Give the condition that a value fulfils which is neither null nor blank text."""
    name = quoted(column.name)
    if column.logical_type != "string":
        return f"{name} IS NOT NULL"
    return f"coalesce({name} RLIKE '\\\\S', false)"


def _whole(pattern: str) -> str:
    # The stream judges by the same words.
    return rf"\A(?:{pattern})\z"
