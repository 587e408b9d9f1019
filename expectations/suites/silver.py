"""Silver: what the contract requires still holds, and so do the contract's checks of this layer."""

from expectations.suites.checks import declared_checks
from expectations.suites.declared import not_null, suite_of
from expectations.suites.gated import GatedTable
from tidemark.contracts import Contract


def silver_table(name: str, contract: Contract) -> GatedTable:
    """Give the gate of a silver table."""
    required = (not_null(column.name, "fail") for column in contract.columns if contract.always_has(column))
    return GatedTable(
        layer="silver",
        name=name,
        suite=suite_of(f"silver.{name}", (*required, *declared_checks(contract, "silver"))),
        columns=tuple(contract.by_name),
        key=contract.key,
        event_time=contract.event_time,
    )
