"""Silver: what the contract requires still holds, each key stands once, and what rows refer to is there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from great_expectations.expectations.expectation import Expectation

from expectations.suites.checks import declared_checks
from expectations.suites.declared import not_null, suite_of, unique
from expectations.suites.gated import GatedTable
from expectations.suites.surveys import Bound, Survey, called, surveyed
from tidemark.contracts import Contract
from tidemark.model_keys import model_key
from tidemark.models import STAGED
from tidemark.names import quoted


@dataclass(frozen=True)
class Reference:
    """A column whose values are keys of another silver table."""

    column: str
    table: str
    key: str
    newest: str = ""  # the other's time: only rows up to its newest are judged, since the other may be behind

    @property
    def number(self) -> str:
        """Under which name it is counted."""
        return f"_orphans_{self.column}"


REFERENCES: Mapping[str, tuple[Reference, ...]] = {
    "stg_payments": (
        Reference("ride_event_id", "silver.stg_rides", "event_id", newest="event_time"),
        Reference("customer_id", "silver.stg_customers", "customer_id"),
    ),
}

_ORPHANS_PERCENT = 5.0  # what a ride's quarantined record leaves is no fault of the payment


def silver_table(name: str, contract: Contract, contracts: Collection[str] = tuple(STAGED.values())) -> GatedTable:
    """Give the gate of a contract's silver table: one row a key, or one a change of a key.

    Args:
        contracts: those there are: what would refer to another's table is not expected to.
    """
    key = (*contract.key, *contract.change_order)
    required = (not_null(column.name, "fail") for column in contract.columns if contract.always_has(column))
    keyed = (*(not_null(column, "fail") for column in key), unique(key, "fail"))
    references = [each for each in REFERENCES.get(name, ()) if STAGED[each.table.partition(".")[2]] in contracts]
    expected = (*required, *keyed, *declared_checks(contract, "silver"), *map(_no_orphans, references))
    return GatedTable(
        layer="silver",
        name=name,
        suite=suite_of(f"silver.{name}", expected),
        columns=tuple(contract.by_name),
        key=key,
        event_time=contract.event_time,
        surveys=tuple(_orphans(contract, reference) for reference in references),
        contract_version=contract.version,
        personal=frozenset(column.name for column in contract.columns if column.pii),
    )


def keyed_table(layer: str, name: str) -> GatedTable:
    """Give the gate of a model of which is known what names its rows."""
    key = model_key(layer, name)
    expected = (*(not_null(column, "fail") for column in key), unique(key, "fail"))
    return GatedTable(layer, name, suite_of(f"{layer}.{name}", expected), key, key)


def _orphans(contract: Contract, reference: Reference) -> Survey:
    column, key, other = quoted(reference.column), quoted(reference.key), called(reference.table)
    newest = f"{quoted(contract.event_time)} <= (SELECT max({quoted(reference.newest)}) FROM {other})"
    known = newest if reference.newest else "true"
    query = f"""
        SELECT coalesce(100.0D * count_if(known.key IS NULL) / nullif(count(*), 0), 0) AS {quoted(reference.number)}
        FROM (
            SELECT {column} AS key FROM {{judged}} WHERE {column} IS NOT NULL AND {known}
        ) AS referring
        LEFT JOIN (SELECT DISTINCT {key} AS key FROM {other}) AS known ON referring.key = known.key
    """
    return Survey(query, (reference.number,), (reference.table,))


def _no_orphans(reference: Reference) -> Expectation:
    column, key = quoted(reference.column), quoted(reference.key)
    return surveyed(
        reference.number,
        "orphans",
        (reference.column,),
        "warn",
        Bound(below=_ORPHANS_PERCENT),
        unit="%",
        says=f"{reference.column} that is no {reference.key} of {reference.table}",
        rows=f"{column} NOT IN (SELECT {key} FROM {called(reference.table)} WHERE {key} IS NOT NULL)",
    )
