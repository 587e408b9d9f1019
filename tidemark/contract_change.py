"""A changed contract file, held against what there is: the contract in force, its table, its subject, its models."""

from dataclasses import replace
from pathlib import Path

from deltalake import DeltaTable

from tidemark import models
from tidemark.contract_diff import Change, Diff, compared
from tidemark.contract_rules import topic_problems
from tidemark.contracts import Contract, find_contract, read_contract, read_contracts
from tidemark.registry import Registry, RegistryAway, subject_of
from tidemark.settings import Settings

_LOGICAL_TYPES = {"long": "integer", "double": "number"}  # of Delta's words those that are others


def change_of(settings: Settings, file: Path) -> Diff:
    """Say what a changed contract would do.

    Raises:
        ContractError: the file is wrong, or no contract in force has its id.
    """
    contracts, new = read_contracts(settings.contracts_dir), read_contract(file)
    old = find_contract(contracts, new.id)
    found = compared(old, new, columns_held(settings, old), models.readers(old.id))
    says, refused = _asked_of_registry(settings, new)
    problems = topic_problems((contracts | {new.id: new}).values(), lambda contract: f"{contract.id}.yaml")
    refused += [Change("topic", "changed", new.topic, problem) for problem in problems]
    return replace(found, changes=[*found.changes, *refused], effects=found.effects | {"registry": says})


def columns_held(settings: Settings, contract: Contract) -> dict[str, str] | None:
    """Give the logical types of the columns that the bronze table has; None: there is no table."""
    path = settings.table("bronze", contract.id)
    if not DeltaTable.is_deltatable(path):
        return None
    kinds = {field.name: str(getattr(field.type, "type", "")) for field in DeltaTable(path).schema().fields}
    return {name: _LOGICAL_TYPES.get(kind, kind) for name, kind in kinds.items()}


def _asked_of_registry(settings: Settings, new: Contract) -> tuple[list[str], list[Change]]:
    """Ask whether the contract's subject takes its schema; where nobody answers, say so."""
    if new.format != "avro":
        return [], []
    subject = subject_of(new)
    try:
        fits = Registry(settings).is_compatible(new)
    except RegistryAway as away:
        return [f"can't tell whether {subject} takes the schema: {away.what}"], []
    if fits:
        return [f"{subject} takes the schema"], []
    refusal = f"it breaks the compatibility of {subject}: make new columns optional, and change no type"
    return [f"{subject} keeps the schema that it has"], [Change("schema", "changed", new.compatibility, refusal)]
