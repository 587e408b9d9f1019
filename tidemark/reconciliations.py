"""What was compared with what, and what came of it: the audit of every reconcile, backfill and recompute."""

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, Literal

from tidemark import ops_tables
from tidemark.settings import Settings

Level = Literal["transport", "source", "recompute"]
Outcome = Literal["done", "left", "refused", "open", "skipped", "failed"]

_AT_ONCE = 10_000


@dataclass(frozen=True)
class Reconciliation:
    """One subject (a contract, or a stream of the speed layer) and day, compared and put right.

    `different` of the transport level are altered rows and doubles; `extra` are phantoms.
    """

    level: Level
    subject: str
    day: date
    outcome: Outcome
    compared: int
    missing: int
    extra: int
    different: int
    rejected: int | None
    repaired: int
    table_version: int | None
    seconds: float
    reason: str = ""
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Difference:
    """One row that was not as it should be. What is personal is masked before it gets here."""

    kind: str
    key: dict[str, Any]
    columns: dict[str, list[Any]] | None = None  # what is there and what should be
    position: str | None = None


def record(settings: Settings, done: Reconciliation, differences: Iterable[Difference] = ()) -> None:
    """Write what came of a comparison, row by row first: an entry without its rows would claim too much."""
    record_differences(settings, done, differences)
    ops_tables.append(settings, ops_tables.RECONCILIATIONS, [asdict(done)])


def record_differences(settings: Settings, done: Reconciliation, differences: Iterable[Difference]) -> None:
    """Write some of a comparison's rows, before they are put right; its own entry, of the same run, comes later."""
    rows = (_row(done, each) for each in differences)
    for some in _chunks(rows):
        ops_tables.append(settings, ops_tables.RECONCILIATION_DIFFS, some)


def _row(done: Reconciliation, difference: Difference) -> dict[str, Any]:
    columns = None if difference.columns is None else json.dumps(difference.columns, ensure_ascii=False, default=str)
    own = {"run_id": done.run_id, "level": done.level, "subject": done.subject, "day": done.day}
    key = json.dumps(difference.key, ensure_ascii=False, default=str)
    return own | {"kind": difference.kind, "key": key, "columns": columns, "position": difference.position}


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while some := list(islice(rows, _AT_ONCE)):
        yield some
