"""The copy of the ledger in `ops.ledger`: made before upkeep cleans a table's log, read for what that has no more."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from tidemark.ledger import Commit, Label, Ledger
from tidemark.ledger_history import LedgerHistory
from tidemark.ops_tables import LEDGER, append, opened
from tidemark.settings import Settings

_AT_ONCE = 50_000  # commits: each lot is one commit of ops.ledger
_COMMIT = ("version", "operation", "committed_at", "changes_data", "rows", "label")


def history_of(settings: Settings, contract: str) -> LedgerHistory:
    """Give the whole ledger of a contract's bronze table: what its log has, and before that its copy."""
    ledger = Ledger(settings.table("bronze", contract))
    return LedgerHistory(ledger, partial(copied_commits, settings, contract))


def copy_ledger(settings: Settings, contract: str) -> int:
    """Copy the commits that are not copied yet, each once; count them."""
    path = settings.table("bronze", contract)
    table_id = _table_id(path)
    commits = Ledger(path).commits(newest_copied(settings, contract) + 1)
    count = 0
    while lot := [_row(contract, table_id, commit) for commit in islice(commits, _AT_ONCE)]:
        append(settings, LEDGER, lot)
        count += len(lot)
    return count


def newest_copied(settings: Settings, contract: str) -> int:
    """Give the newest version that was copied; -1: none was."""
    versions = copied_versions(settings, contract, 0)
    return -1 if not len(versions) else int(pc.max(versions).as_py())


def copied_versions(settings: Settings, contract: str, first: int) -> pa.ChunkedArray:
    """Give the versions that were copied, from one on, in no order."""
    return _copied(settings, contract, ds.field("version") >= first, ["version"])["version"]


def copied_commits(settings: Settings, contract: str, first: int, last: int) -> Iterator[Commit]:
    """Read commits [first, last) from the copy, in the order of their versions."""
    wanted = (ds.field("version") >= first) & (ds.field("version") < last)
    rows = _copied(settings, contract, wanted, list(_COMMIT)).sort_by("version")
    for batch in rows.to_batches(_AT_ONCE):
        yield from map(_commit, batch.to_pylist())


def committed_at(settings: Settings, contract: str, version: int) -> datetime | None:
    """Give when a version was committed; None: neither the log nor its copy has it."""
    in_log = Ledger(settings.table("bronze", contract)).commits(version, version)
    commit = next(in_log, None) or next(copied_commits(settings, contract, version, version + 1), None)
    return None if commit is None else datetime.fromtimestamp(commit.committed_at / 1000, UTC)


def _copied(settings: Settings, contract: str, wanted: ds.Expression, columns: list[str]) -> pa.Table:
    table = opened(settings, LEDGER)
    if table is None:
        return pa.table({name: [] for name in columns})
    table_id = _table_id(settings.table("bronze", contract))
    rows = table.to_table([*columns, "table_id"], filter=wanted & (ds.field("contract") == contract))
    return rows.filter(pc.equal(rows["table_id"], table_id)).select(columns)


def _table_id(path: str) -> str:
    return str(DeltaTable(path).metadata().id)


def _row(contract: str, table_id: str, commit: Commit) -> dict[str, Any]:
    return {
        "contract": contract,
        "table_id": table_id,
        "version": commit.version,
        "operation": commit.operation,
        "committed_at": datetime.fromtimestamp(commit.committed_at / 1000, UTC),
        "rows": commit.rows,
        "changes_data": commit.changes_data,
        "label": commit.label.to_json() if commit.label else None,
    }


def _commit(row: dict[str, Any]) -> Commit:
    return Commit(
        version=row["version"],
        operation=row["operation"],
        committed_at=round(row["committed_at"].timestamp() * 1000),
        changes_data=row["changes_data"],
        rows=row["rows"],
        label=Label.from_json(row["label"]) if row["label"] else None,
    )
