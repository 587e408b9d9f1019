"""Runs of upkeep, as `ops.maintenance` remembers them: what was done, to how much, and how it ended."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from tidemark.errors import TidemarkError
from tidemark.ops_tables import MAINTENANCE, append, opened
from tidemark.settings import Settings

NOT_NEUTRAL = "not_neutral"


class NotNeutral(TidemarkError):
    """A compaction changed what the table holds."""


@dataclass(frozen=True)
class Size:
    """How large a version of a table is."""

    version: int
    files: int
    bytes: int
    rows: int


@dataclass
class Run:
    """One run of upkeep on one table; `done` has the steps that did something, and what they did."""

    contract: str
    before: Size
    after: Size
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcome: str = "ok"
    message: str = ""
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    took_ms: int = 0


def size_of(path: str) -> Size:
    """Read from the log how large a table is."""
    table = DeltaTable(path)
    actions = table.get_add_actions(flatten=True)
    sums = [sum(filter(None, actions.column(name).to_pylist())) for name in ("size_bytes", "num_records")]
    return Size(table.version(), actions.num_rows, *sums)


@contextmanager
def recorded(settings: Settings, contract: str) -> Iterator[Run]:
    """Record what the block does, and how it ends; a run that had nothing to do leaves no row."""
    path = settings.table("bronze", contract)
    began, before = time.monotonic(), size_of(path)
    run = Run(contract, before, before)
    try:
        yield run
    except BaseException as error:
        run.outcome = NOT_NEUTRAL if isinstance(error, NotNeutral) else "failed"
        run.message = str(error) or type(error).__name__
        raise
    finally:
        run.took_ms = round(1000 * (time.monotonic() - began))
        if run.done or run.outcome != "ok":
            run.after = size_of(path)
            append(settings, MAINTENANCE, [_row(run)])


def last_done(settings: Settings, contract: str, step: str) -> datetime | None:
    """Give when a step was last done to the end; None: never."""
    rows = _runs(settings, contract, datetime.fromtimestamp(0, UTC))
    return max((row["started_at"] for row in rows if step in json.loads(row["done"])), default=None)


def before_change(settings: Settings, contract: str, since: datetime) -> list[int]:
    """Give the versions before the compactions that were found to have changed content."""
    return [row["version_before"] for row in _runs(settings, contract, since) if row["outcome"] == NOT_NEUTRAL]


def _runs(settings: Settings, contract: str, since: datetime) -> list[dict[str, Any]]:
    table = opened(settings, MAINTENANCE)
    if table is None:
        return []
    columns = ["contract", "started_at", "done", "outcome", "version_before"]
    rows = table.to_table(columns, filter=ds.field("started_at") >= since)
    runs: list[dict[str, Any]] = rows.filter(pc.equal(rows["contract"], contract)).to_pylist()
    return runs


def _row(run: Run) -> dict[str, Any]:
    sizes = ((when, size) for when, size in (("before", run.before), ("after", run.after)))
    return {
        "contract": run.contract,
        "run_id": run.run_id,
        "started_at": run.started_at,
        "took_ms": run.took_ms,
        "done": json.dumps(run.done, default=str),
        "outcome": run.outcome,
        "message": run.message,
        **{f"{what}_{when}": amount for when, size in sizes for what, amount in vars(size).items()},
    }
