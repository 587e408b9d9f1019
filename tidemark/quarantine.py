"""The quarantine: what bronze holds back, by reason, with samples that show nothing personal."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from tidemark import bronze
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.ledger import Ledger
from tidemark.settings import Settings

MASK = "***"
HIDDEN = "(hidden: the contract has personal data, and this can't be taken apart)"

_COLUMNS = (*bronze.POSITION, bronze.KAFKA_TIME, bronze.VALUE, bronze.ERRORS)
_SHOWN = 200  # characters of a payload


@dataclass(frozen=True)
class Sample:
    """A quarantined record: where it is, and as much of its payload as may be shown."""

    position: str  # topic/partition@offset
    reasons: tuple[str, ...]
    payload: str


@dataclass
class Reason:
    """One reason for which records are held back."""

    name: str
    rows: int = 0
    first: datetime | None = None  # by Kafka's time
    last: datetime | None = None
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True)
class Quarantine:
    """What a contract's table holds back; a row may have several reasons."""

    contract: str
    rows: int
    of: int
    reasons: list[Reason]


def quarantine_of(settings: Settings, contract: Contract, samples: int, only: str = "") -> Quarantine:
    """Read a contract's quarantine, without an engine and in bounded memory.

    Args:
        samples: how many of each reason are kept.
        only: a reason, or what it begins with; others are left out.

    Raises:
        TidemarkError: there is no such table.
    """
    path = settings.table("bronze", contract.id)
    if not Ledger(path).exists():
        raise TidemarkError(f"{contract.id}: there is no table at {path}", "`make stream-up` creates it")
    found: dict[str, Reason] = {}
    rows, of = Counter[str](), 0
    for batch in DeltaTable(path).to_pyarrow_dataset().to_batches(columns=list(_COLUMNS)):
        of += len(batch)
        for row in _held_back(batch, only):
            rows.update(["all"])
            _count(found, row, contract, samples, only)
    reasons = sorted(found.values(), key=lambda reason: (-reason.rows, reason.name))
    return Quarantine(contract.id, rows["all"], of, reasons)


def masked(value: bytes | None, contract: Contract) -> str:
    """Show the beginning of a payload, what the contract calls personal masked; where that can't be told, nothing."""
    if value is None:
        return "(no value)"
    personal = {column.wire for column in contract.columns if column.pii and column.source == "value"}
    if not personal:
        return value[:_SHOWN].decode("utf-8", "backslashreplace")
    try:
        document = json.loads(value)
    except ValueError:
        return HIDDEN
    return json.dumps(_without(document, personal), ensure_ascii=False)[:_SHOWN]


def _without(found: Any, personal: set[str]) -> Any:
    """Mask fields at any depth: change events have them within their images."""
    if isinstance(found, dict):
        return {name: MASK if name in personal else _without(value, personal) for name, value in found.items()}
    return [_without(each, personal) for each in found] if isinstance(found, list) else found


def _held_back(batch: pa.RecordBatch, only: str) -> Iterator[dict[str, Any]]:
    errors = batch.column(batch.schema.get_field_index(bronze.ERRORS))
    bad = batch.filter(pc.greater(pc.fill_null(pc.list_value_length(errors), 0), 0))
    for row in bad.to_pylist():
        if any(reason.startswith(only) for reason in row[bronze.ERRORS]):
            yield row


def _count(found: dict[str, Reason], row: dict[str, Any], contract: Contract, samples: int, only: str) -> None:
    reasons = tuple(row[bronze.ERRORS])
    for name in dict.fromkeys(reason for reason in reasons if reason.startswith(only)):
        reason = found.setdefault(name, Reason(name))
        reason.rows += 1
        at = row[bronze.KAFKA_TIME]
        reason.first, reason.last = min(reason.first or at, at), max(reason.last or at, at)
        if len(reason.samples) < samples:
            position = f"{row[bronze.TOPIC]}/{row[bronze.PARTITION]}@{row[bronze.OFFSET]}"
            reason.samples.append(Sample(position, reasons, masked(row[bronze.VALUE], contract)))
