"""Suites: what each gated table must be, as pure functions of contracts, and of what dbt's models say names a row."""

from expectations.suites.bronze import bronze_table
from expectations.suites.gated import GatedTable, NoSuchTable
from expectations.suites.gold import GOLD
from expectations.suites.silver import keyed_table, silver_table
from expectations.suites.sums import gold_table
from tidemark.contracts import Contract, find_contract
from tidemark.model_keys import keyed_models
from tidemark.models import STAGED


def gated_table(layer: str, name: str, contracts: dict[str, Contract]) -> GatedTable:
    """Give a table's gate.

    Raises:
        NoSuchTable: there is none; it lists those there are.
        ContractError: a silver table's contract is not there, or a check of it can't be judged.
        TidemarkError: a model does not say what names its rows.
    """
    known = gated_tables(contracts)
    if name not in known.get(layer, ()):
        allowed = [f"{each}.{table}" for each, tables in known.items() for table in tables]
        raise NoSuchTable(f"{layer}.{name}: no such table has a gate", f"name one of {', '.join(allowed)}")
    if layer == "bronze":
        return bronze_table(contracts[name])
    if name in STAGED:
        return silver_table(name, find_contract(contracts, STAGED[name]), contracts)
    return gold_table(GOLD[name]) if name in GOLD else keyed_table(layer, name)


def gated_tables(contracts: dict[str, Contract]) -> dict[str, list[str]]:
    """List the tables that have a gate, by layer: every contract's, and every model that is described."""
    silver, gold = (
        dict.fromkeys((*known, *keyed_models(layer))) for layer, known in (("silver", STAGED), ("gold", GOLD))
    )
    return {"bronze": list(contracts), "silver": list(silver), "gold": list(gold)}
