"""Rows beside those that a table has, by key: what is new, what differs, what is equal. All of it by Arrow."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Key = tuple[str, ...]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Compared:
    """Rows as they should be, and those that are there."""

    missing: pa.Table  # not there
    extra: pa.Table  # there, and should not be
    different: pa.Table
    before: pa.Table  # those, in the same order, as they are there
    equal: pa.Table
    equal_before: pa.Table  # these too; what is not compared may differ

    @property
    def changes(self) -> int:
        """How many rows are not as they should be."""
        return len(self.missing) + len(self.extra) + len(self.different)


def compared(rows: pa.Table, there: pa.Table, key: Key, ignored: Collection[str] = ()) -> Compared:
    """Compare rows with those that are there.

    Args:
        rows: one for each key; of several rows that are there, all but one are extra.
        ignored: columns that may differ.
    """
    pairs = paired(rows, there, key)
    new, old = rows.take(pairs["new"]), there.take(pairs["old"])
    equal = _equal_rows(new, old, {*key, *ignored})
    different = pa.array(~equal)
    return Compared(
        missing=without(rows, pairs["new"].to_numpy()),
        extra=without(there, pairs["old"].to_numpy()),
        different=new.filter(different),
        before=old.filter(different),
        equal=new.filter(pa.array(equal)),
        equal_before=old.filter(pa.array(equal)),
    )


def paired(rows: pa.Table, there: pa.Table, key: Key) -> pa.Table:
    """Give the row numbers of each key that both have, as `new` and `old`; a null in a key is equal to another."""
    numbered = [_numbered(rows, key, "new"), _numbered(there, key, "old")]
    keys = pa.concat_tables(numbered, promote_options="default")
    numbers = keys.group_by(list(key)).aggregate([("new", "max"), ("old", "max")]).select(["new_max", "old_max"])
    return numbers.rename_columns(["new", "old"]).drop_null()


def one_of_each(rows: pa.Table, key: Key) -> pa.Table:
    """Keep one row of each key; of several the last in the order of their values, whatever order they come in."""
    flat = [name for name in rows.column_names if not pa.types.is_nested(rows.schema.field(name).type)]
    if len(rows.group_by(list(key)).aggregate([])) == len(rows):
        return rows
    ordered = rows.sort_by([(name, "ascending") for name in flat])
    last = _numbered(ordered, key, "last").group_by(list(key)).aggregate([("last", "max")])
    return ordered.take(last["last_max"])


def without(table: pa.Table, numbers: Numbers) -> pa.Table:
    """Leave out the rows of these numbers."""
    kept = np.ones(len(table), dtype=bool)
    kept[numbers] = False
    return table.filter(pa.array(kept))


def _numbered(rows: pa.Table, key: Key, name: str) -> pa.Table:
    return rows.select(key).append_column(name, pa.array(np.arange(len(rows))))


def _equal_rows(new: pa.Table, old: pa.Table, ignored: Collection[str]) -> Flags:
    names = [name for name in new.column_names if name not in ignored]
    equal: Flags = np.all(
        [np.ones(len(new), dtype=bool), *(_equal_values(new[name], old[name]) for name in names)], axis=0
    )
    return equal


def _equal_values(new: pa.ChunkedArray, old: pa.ChunkedArray) -> Flags:
    """Compare two columns; two nulls are equal. Arrow itself doesn't compare lists and structs."""
    if pa.types.is_nested(new.type):
        pairs = zip(new.to_pylist(), old.to_pylist(), strict=True)
        return np.array([one == other for one, other in pairs], dtype=bool)
    both_null = pc.and_(pc.is_null(new), pc.is_null(old))
    equal: Flags = pc.or_(both_null, pc.fill_null(pc.equal(new, old), False)).to_numpy()
    return equal
