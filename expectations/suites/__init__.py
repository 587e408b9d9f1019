"""Suites: what each gated table must be, as pure functions of contracts."""

from expectations.suites.bronze import bronze_table
from expectations.suites.gated import GatedTable, NoSuchTable
from expectations.suites.gold import GOLD
from expectations.suites.silver import silver_table
from tidemark.contracts import Contract, find_contract
from tidemark.models import STAGED


def gated_table(layer: str, name: str, contracts: dict[str, Contract]) -> GatedTable:
    """Give a table's gate.

    Raises:
        NoSuchTable: there is none; it lists those there are.
        ContractError: a silver table's contract is not there, or a check of it can't be judged.
    """
    known = {"bronze": list(contracts), "silver": list(STAGED), "gold": list(GOLD)}
    if name not in known.get(layer, ()):
        allowed = [f"{each}.{table}" for each, tables in known.items() for table in tables]
        raise NoSuchTable(f"{layer}.{name}: no such table has a gate", f"name one of {', '.join(allowed)}")
    if layer == "bronze":
        return bronze_table(contracts[name])
    if layer == "silver":
        return silver_table(name, find_contract(contracts, STAGED[name]))
    return GOLD[name]()
