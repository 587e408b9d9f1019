"""What a changed contract would do against the one in force: a comparison of the two, that reads nothing else."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from tidemark.contracts import Column, Contract
from tidemark.dbt import SQL_TYPES
from tidemark.names import quoted

Kind = Literal["added", "removed", "retyped", "tightened", "loosened", "changed", "described"]

_OWN_RULES = ("id", "columns", "quality", "topic", "tombstone")
_DESCRIBES = ("owner", "description")


@dataclass(frozen=True)
class Change:
    """One difference between two versions of a contract."""

    where: str  # a column, or a field of the contract
    kind: Kind
    what: str
    refused: str = ""  # why it can't be taken; empty: it can


@dataclass(frozen=True)
class Diff:
    """All differences, and what they do, by what they do it to."""

    contract: str
    versions: tuple[str, str]  # in force, and new
    changes: list[Change]
    effects: dict[str, list[str]]

    @property
    def is_refused(self) -> bool:
        """Tell whether something in it can't be taken."""
        return any(change.refused for change in self.changes)


def compared(
    old: Contract, new: Contract, held: Mapping[str, str] | None = None, models: Mapping[str, str] | None = None
) -> Diff:
    """Compare a contract in force with a new version of it.

    Args:
        held: the logical types of the bronze table's columns; earlier versions may have left some. None: no table.
        models: the SQL of those that read the bronze table.
    """
    changes = [*_contract_changes(old, new), *_column_changes(old, new, held or {}), *_check_changes(old, new)]
    judged_by = {*old.by_name, *new.by_name, "format", "tombstone"}
    kinds: set[Kind] = {each.kind for each in changes if each.where in judged_by and each.kind != "described"}
    effects = {
        "bronze": list(_on_bronze(old, new, held)),
        "old rows": list(_on_old_rows(old, new, kinds)),
        "views and models": list(_on_models(old, new, changes, models or {})),
    }
    return Diff(new.id, (old.version, new.version), changes, effects)


def _contract_changes(old: Contract, new: Contract) -> Iterator[Change]:
    if old.topic != new.topic:
        refused = f"the table holds {old.topic}, offset by offset: a contract of another id has a table of its own"
        yield Change("topic", "changed", _arrow(old.topic, new.topic), refused)
    if old.tombstone != new.tombstone:
        kind: Kind = "loosened" if new.tombstone == "delete" else "tightened"
        yield Change("tombstone", kind, _arrow(old.tombstone, new.tombstone))
    for name, field in Contract.model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        if name not in _OWN_RULES and before != after:
            yield Change(field.alias or name, "described" if name in _DESCRIBES else "changed", _arrow(before, after))


def _check_changes(old: Contract, new: Contract) -> Iterator[Change]:
    yield from (Change("quality", "removed", _shown(check)) for check in old.quality if check not in new.quality)
    yield from (Change("quality", "added", _shown(check)) for check in new.quality if check not in old.quality)


def _column_changes(old: Contract, new: Contract, held: Mapping[str, str]) -> Iterator[Change]:
    for name, column in new.by_name.items():
        if name in old.by_name:
            yield from _changes_of(old.by_name[name], column)
            continue
        kind = held.get(name, column.logical_type)
        refused = "" if kind == column.logical_type else f"bronze has it of an earlier version as {kind}: name it anew"
        needed = "required" if column.required else "optional"
        yield Change(name, "added", f"{column.logical_type}, {needed}", refused)
    yield from (Change(each.name, "removed", each.logical_type) for each in _lacking(old, new))


def _changes_of(old: Column, new: Column) -> Iterator[Change]:
    if old.logical_type != new.logical_type:
        refused = "a column can't change its type in bronze: remove it, and add one of another name"
        yield Change(new.name, "retyped", _arrow(old.logical_type, new.logical_type), refused)
    if old.required != new.required:
        words = ("optional", "required")
        kind: Kind = "tightened" if new.required else "loosened"
        yield Change(new.name, kind, _arrow(words[old.required], words[new.required]))
    yield from _limit_changes(old, new)
    yield from _enum_changes(old, new)
    unit: Kind = "changed" if new.logical_type == "timestamp" else "described"
    others: tuple[tuple[str, Any, Any, Kind], ...] = (
        ("from", old.wire, new.wire, "changed"),
        ("source", old.source, new.source, "changed"),
        ("pattern", old.pattern, new.pattern, "changed"),
        ("unit", old.unit, new.unit, unit),
        ("pii", old.pii, new.pii, "described"),
        ("description", old.description, new.description, "described"),
    )
    for field, before, after, how in others:
        if before != after:
            yield Change(new.name, how, f"{field}: {_arrow(before, after)}")


def _limit_changes(old: Column, new: Column) -> Iterator[Change]:
    limits = (
        ("minimum", old.minimum, new.minimum, -1),
        ("maximum", old.maximum, new.maximum, 1),
        ("maxLength", old.max_length, new.max_length, 1),
    )
    for field, before, after, upwards in limits:
        if before != after:
            narrower = before is None or (after is not None and upwards * after < upwards * before)
            yield Change(new.name, "tightened" if narrower else "loosened", f"{field}: {_arrow(before, after)}")


def _enum_changes(old: Column, new: Column) -> Iterator[Change]:
    before, after = old.enum, new.enum
    if before is None or after is None:
        if before != after:
            yield Change(new.name, "loosened" if after is None else "tightened", f"enum: {_arrow(before, after)}")
        return
    sides: tuple[tuple[Kind, str, set[str]], ...] = (
        ("tightened", "without", set(before) - set(after)),
        ("loosened", "with", set(after) - set(before)),
    )
    for kind, sign, values in sides:
        if values:
            yield Change(new.name, kind, f"enum: {sign} {', '.join(sorted(values))}")


def _on_bronze(old: Contract, new: Contract, held: Mapping[str, str] | None) -> Iterator[str]:
    if held is None:
        yield "there is no table yet: it is created as the contract says"
        return
    added = [each for each in new.columns if each.name not in held]
    if added:
        yield f"ADD COLUMNS {', '.join(f'{quoted(each.name)} {SQL_TYPES[each.logical_type]}' for each in added)}"
    yield from (f"{each.name} stays in the table, null in every new row" for each in _lacking(old, new))


def _on_old_rows(old: Contract, new: Contract, kinds: set[Kind]) -> Iterator[str]:
    if not kinds:
        return
    yield f"stay as version {old.version} judged them"
    if old.version == new.version:
        yield f"the version stays {new.version}: no row will say by which of the two it was judged"
    yield from (f"{each.name} is null in them" for each in _lacking(new, old))
    if kinds & {"loosened", "changed", "removed"}:
        yield f"what is in quarantine may be good now: `tidemark replay {new.id}`"
    if kinds & {"tightened", "changed"} or any(each.required for each in _lacking(new, old)):
        yield f"what is good may not fit any more, and the gate judges it too: `tidemark gate bronze.{new.id}`"


def _on_models(old: Contract, new: Contract, changes: Sequence[Change], models: Mapping[str, str]) -> Iterator[str]:
    if old.by_name.keys() != new.by_name.keys():
        yield "dbt's sources follow with `tidemark dbt-sources`"
        yield f"quarantine.{new.id} is made anew by the next `tidemark dbt build`"
    columns = {change.where for change in changes if change.kind != "described"} & old.by_name.keys()
    for model, sql in sorted(models.items()):
        read = sorted(columns.intersection(re.findall(r"\w+", sql)))
        if read:
            yield f"{model} reads {', '.join(read)}"


def _lacking(whole: Contract, other: Contract) -> list[Column]:
    """List the columns of a contract that another has not."""
    return [column for column in whole.columns if column.name not in other.by_name]


def _arrow(before: Any, after: Any) -> str:
    return f"{_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    if isinstance(value, BaseModel):
        fields = value.model_dump(by_alias=True, exclude_defaults=True)
        return ", ".join(f"{name} {_shown(each)}" for name, each in fields.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None or value == "" else str(value)
