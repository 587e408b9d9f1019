"""What must fit together in a contract, and in a folder of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tidemark import debezium
from tidemark.contract_fields import Misfit
from tidemark.names import is_topic

if TYPE_CHECKING:
    from tidemark.contracts import Check, Column, Contract


def refuse_misfits(contract: "Contract") -> None:
    """Refuse a contract whose fields do not fit together.

    Raises:
        Misfit: the first two that don't.
    """
    _refuse_doubles(contract.columns)
    _refuse_unknown_columns(contract)
    _refuse_wire_names(contract)
    _refuse_compatibility(contract)
    _refuse_change_order(contract)
    _refuse_mirror(contract)


def refuse_vague_check(check: "Check") -> None:
    """Refuse a quality check that does not say what its metric needs.

    Raises:
        ValueError: with what it needs.
    """
    bounds = (check.must_be, check.must_be_greater_than, check.must_be_less_than)
    if check.metric == "freshness":
        if check.within is None:
            raise ValueError("freshness needs within, like '15 minutes'")
    elif all(bound is None for bound in bounds):
        raise ValueError(f"{check.metric} needs one of mustBe, mustBeGreaterThan, mustBeLessThan")
    elif check.metric == "quarantinedRows":
        _refuse_other_than_a_share(check)
    elif check.metric != "rowCount" and not check.columns:
        raise ValueError(f"{check.metric} needs columns")


def _refuse_other_than_a_share(check: "Check") -> None:
    others = check.model_dump(include={"must_be", "must_be_greater_than", "columns"}, exclude_defaults=True)
    if others or check.unit != "percent" or check.layer != "bronze":
        raise ValueError("quarantinedRows is of bronze, without columns: mustBeLessThan, unit: percent")


def topic_problems(contracts: Iterable["Contract"], at: Callable[["Contract"], str]) -> Iterator[str]:
    """List the topics that two contracts write to: as their own, or as a mirror.

    Args:
        at: gives `file:line: topic` of a contract.
    """
    all_of_them = list(contracts)
    mirrors = {topic: each.id for each in all_of_them if each.mirror for topic in (each.clean_topic, each.dlq_topic)}
    owners: dict[str, str] = {}
    for contract in all_of_them:
        found = f"{at(contract)}: found {contract.topic!r}"
        other = owners.setdefault(contract.topic, contract.id)
        if other != contract.id:
            yield f"{found}, which {other}.yaml has; allowed once"
        if contract.topic in mirrors:
            yield f"{found}, which the mirror of {mirrors[contract.topic]}.yaml writes; allowed is another"


def _refuse_doubles(columns: Sequence["Column"]) -> None:
    names: set[str] = set()
    wires: set[str] = set()
    for index, column in enumerate(columns):
        if column.name in names:
            raise Misfit(f"found {column.name!r} twice; allowed once", "schema", index, "name")
        names.add(column.name)
        if column.source == "value":
            # Spark finds a field of the parsed document whatever its case: two would be ambiguous.
            if column.wire.lower() in wires:
                raise Misfit(f"found {column.wire!r} twice, but for case; allowed once", "schema", index, "from")
            wires.add(column.wire.lower())


def _refuse_unknown_columns(contract: "Contract") -> None:
    known = contract.by_name
    if contract.event_time not in known or known[contract.event_time].logical_type != "timestamp":
        raise Misfit(f"found {contract.event_time!r}; allowed is a timestamp column of schema", "eventTime")
    for index, name in enumerate(contract.key):
        _refuse_optional(known, name, "key", index)
    for place, check in enumerate(contract.quality):
        for index, name in enumerate(check.columns):
            _refuse_unknown(known, name, "quality", place, "columns", index)
    if contract.silence:
        _refuse_optional(known, contract.silence.column, "silence", "column")


def _refuse_unknown(known: Mapping[str, "Column"], name: str, *where: str | int) -> None:
    if name not in known:
        raise Misfit(f"found {name!r}; allowed are {', '.join(known)}", *where)


def _refuse_optional(known: Mapping[str, "Column"], name: str, *where: str | int) -> None:
    _refuse_unknown(known, name, *where)
    if not known[name].required:
        raise Misfit(f"found {name!r}, which is optional; allowed are required columns", *where)


def _refuse_wire_names(contract: "Contract") -> None:
    """Refuse names that the format can't carry."""
    carried = [(index, each.wire) for index, each in enumerate(contract.columns) if each.source == "value"]
    for index, wire in carried:
        if contract.format == "avro" and "-" in wire:
            raise Misfit(f"found {wire!r}; allowed in Avro are letters, digits and _", "schema", index, "from")
        unknown = debezium.of_envelope(wire) and not debezium.is_envelope_name(wire)
        if contract.format == "debezium" and unknown:
            allowed = ", ".join(debezium.ENVELOPE_NAMES)
            raise Misfit(f"found {wire!r}; allowed of the envelope are {allowed}", "schema", index, "from")


def _refuse_compatibility(contract: "Contract") -> None:
    if contract.format != "avro" and "compatibility" in contract.model_fields_set:
        found = f"found {contract.compatibility!r} with format {contract.format}"
        raise Misfit(f"{found}; allowed with format avro", "compatibility")


def _refuse_change_order(contract: "Contract") -> None:
    """Refuse an order that a delete could not be put in: it has the key and the envelope, and no more."""
    if contract.format != "debezium":
        if contract.change_order:
            found = f"found {', '.join(contract.change_order)} with format {contract.format}"
            raise Misfit(f"{found}; allowed with format debezium", "changeOrder")
        return
    if not contract.change_order:
        raise Misfit("missing; format debezium requires it", "changeOrder")
    for index, name in enumerate(contract.change_order):
        _refuse_optional(contract.by_name, name, "changeOrder", index)
        if not debezium.required_of_delete(contract, contract.by_name[name]):
            found = f"found {name!r}, which a delete need not have"
            raise Misfit(f"{found}; allowed are required columns of the envelope", "changeOrder", index)


def _refuse_mirror(contract: "Contract") -> None:
    if contract.mirror and not is_topic(contract.clean_topic):
        raise Misfit(f"found true; allowed where {contract.clean_topic!r} can name a topic", "mirror")
