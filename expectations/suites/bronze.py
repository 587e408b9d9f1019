"""Bronze: the good rows of a contract's table are what the contract says. A new contract has its gate without code."""

from expectations.suites.checks import declared_checks
from expectations.suites.declared import suite_of
from expectations.suites.gated import GatedTable
from expectations.suites.limits import column_expectations
from tidemark import bronze
from tidemark.contracts import Contract


def bronze_table(contract: Contract) -> GatedTable:
    """Give the gate of a contract's bronze table."""
    of_columns = (each for column in contract.columns for each in column_expectations(contract, column))
    return GatedTable(
        layer="bronze",
        name=contract.id,
        suite=suite_of(f"bronze.{contract.id}", (*of_columns, *declared_checks(contract, "bronze"))),
        columns=(*bronze.POSITION, *contract.by_name),
        key=bronze.POSITION,
        where=f"size({bronze.ERRORS}) = 0 AND {bronze.VALUE} IS NOT NULL",
        event_time=contract.event_time,
    )
