"""The rows that a comparison of a speed table found, as the audit has them: nothing personal is shown."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import pyarrow as pa

from streaming.row_comparison import Compared
from streaming.speed_table import IS_FINAL, UPDATED_AT
from tidemark.quarantine import MASK
from tidemark.reconciliations import Difference

_AT_ONCE = 10_000  # rows that are Python's at a time

Row = dict[str, Any]


def differences(found: Compared, key: Iterable[str], personal: Collection[str]) -> Iterator[Difference]:
    """Tell row by row what was not as it should be.

    Args:
        personal: columns that are masked.
    """
    own = list(key)
    for kind, rows in (("missing", found.missing), ("extra", found.extra)):
        for row in _rows(rows.select(own)):
            yield Difference(kind, _masked(row, personal))
    for row, before in zip(_rows(found.different), _rows(found.before), strict=True):
        names = [name for name in row if name not in (*own, UPDATED_AT, IS_FINAL) and row[name] != before[name]]
        columns = {name: [MASK, MASK] if name in personal else [before[name], row[name]] for name in names}
        yield Difference("different", _masked({name: row[name] for name in own}, personal), columns)


def _masked(row: Row, personal: Collection[str]) -> Row:
    return {name: MASK if name in personal else value for name, value in row.items()}


def _rows(table: pa.Table) -> Iterator[Row]:
    for some in table.to_batches(_AT_ONCE):
        yield from some.to_pylist()
