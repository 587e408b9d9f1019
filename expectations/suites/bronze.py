"""Bronze: the good rows of a contract's table are what the contract says, and as many as the ledger says.

A new contract has its gate without code.
"""

from great_expectations.expectations.expectation import Expectation

from expectations.suites.checks import HELD_BACK, declared_checks, quarantine_checks
from expectations.suites.days import changes_survey, expected_changes
from expectations.suites.declared import suite_of
from expectations.suites.gated import GatedTable
from expectations.suites.limits import column_expectations
from expectations.suites.surveys import Bound, Survey, surveyed
from tidemark import bronze
from tidemark.contracts import Contract

# Rows of Kafka's against the ledger's bounds; rows of an export are in no ledger of offsets.
_COUNTS = Survey(
    query=f"""
        SELECT
            (
                SELECT CASE
                    WHEN {{ledger_least}} IS NULL THEN NULL
                    WHEN count(*) < {{ledger_least}} THEN count(*) - {{ledger_least}}
                    WHEN count(*) > {{ledger_most}} THEN count(*) - {{ledger_most}}
                    ELSE 0
                END
                FROM {{every}} WHERE {bronze.TOPIC} NOT LIKE '{bronze.EXPORT}%'
            ) AS _beyond_ledger,
            (SELECT 100 * count_if({HELD_BACK}) / nullif(count(*), 0) FROM {{settled}}) AS _held_back
    """,
    numbers=("_beyond_ledger", "_held_back"),
)


def bronze_table(contract: Contract) -> GatedTable:
    """Give the gate of a contract's bronze table."""
    of_columns = (each for column in contract.columns for each in column_expectations(contract, column))
    expected = (*of_columns, *declared_checks(contract, "bronze"), _counted(), *quarantine_checks(contract))
    return GatedTable(
        layer="bronze",
        name=contract.id,
        suite=suite_of(f"bronze.{contract.id}", (*expected, *expected_changes(contract))),
        columns=(*bronze.POSITION, *contract.by_name),
        key=bronze.POSITION,
        where=f"size({bronze.ERRORS}) = 0 AND {bronze.VALUE} IS NOT NULL",
        event_time=contract.event_time,
        surveys=(_COUNTS, changes_survey(contract)),
        contract=contract.id,
        contract_version=contract.version,
        personal=frozenset(column.name for column in contract.columns if column.pii),
    )


def _counted() -> Expectation:
    return surveyed(
        "_beyond_ledger",
        "ledger_rows",
        (),
        "fail",
        Bound(exactly=0),
        unit="rows beyond",
        says="rows from Kafka, against what the commits say that they ingested",
    )
