"""One look at the tables: how far each is proven, what is held back of the newest rows, sizes, gates."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tidemark.bronze import ERRORS
from tidemark.certificates import earliest
from tidemark.ledger import Ledger
from tidemark.maintenance import size_of
from tidemark.ops_tables import MAINTENANCE, TIDEMARKS, opened
from tidemark.settings import Settings

LAYERS = ("bronze", "speed", "silver", "gold")

_RECENT_COMMITS = 20
_PROVEN_WITHIN = timedelta(days=2)  # every table is proven once a day: so much is read before all is
_COMPACTED_WITHIN = timedelta(days=30)


@dataclass(frozen=True)
class ContractLook:
    """A bronze table, as far as its proofs and its newest rows tell."""

    name: str
    complete_through: datetime | None
    verdict: str | None  # of the newest proof
    proven_at: datetime | None
    unproven_since: datetime | None  # the first ingest that no good proof has looked at; None: there is none
    recent_rows: int
    recent_quarantined: int


@dataclass(frozen=True)
class TableLook:
    """A table's size, when it was last compacted, and what its last gate said."""

    layer: str
    name: str
    version: int
    files: int
    bytes: int
    rows: int
    compacted_at: datetime | None
    gate: str | None  # pass, warn or fail
    gated_at: datetime | None


def contract_looks(settings: Settings, names: list[str], at: datetime) -> list[ContractLook]:
    """Look at the bronze table of each contract."""
    proofs = _proofs(settings, ds.field("written_at") >= at - _PROVEN_WITHIN)
    if not proofs.keys() >= {*names}:
        proofs = _proofs(settings, None)
    return [_contract_look(settings, name, proofs.get(name, [])) for name in names]


def table_looks(settings: Settings, at: datetime) -> list[TableLook]:
    """Look at every table of the lake that people and dashboards read."""
    paths = [path.parent for layer in LAYERS for path in sorted(Path(settings.lake_root, layer).glob("*/_delta_log"))]
    compacted = _compactions(settings, at - _COMPACTED_WITHIN)
    return [_table_look(settings, path, compacted) for path in paths]


def gate_file(settings: Settings, table: str) -> Path:
    """Say where the last verdict on a table is kept."""
    return settings.home.absolute() / "quality" / "verdicts" / f"{table}.json"


def _contract_look(settings: Settings, name: str, proofs: list[list[dict[str, Any]]]) -> ContractLook:
    """Judge by the newest proof, and by the newest that was good.

    Args:
        proofs: the rows of each, the newest first.
    """
    ledger = Ledger(settings.table("bronze", name))
    newest = proofs[0] if proofs else []
    good = next((rows for rows in proofs if rows[0]["verdict"] == "proven"), [])
    recent, held_back = _recent_rows(ledger)
    return ContractLook(
        name=name,
        complete_through=earliest(row["complete_through"] for row in newest),
        verdict=newest[0]["verdict"] if newest else None,
        proven_at=newest[0]["written_at"] if newest else None,
        unproven_since=_first_ingest(ledger, good[0]["table_version"] + 1 if good else 0),
        recent_rows=recent,
        recent_quarantined=held_back,
    )


def _proofs(settings: Settings, wanted: ds.Expression | None) -> dict[str, list[list[dict[str, Any]]]]:
    """Give the proofs of each contract, the newest first; a proof is its rows, one a partition."""
    table = opened(settings, TIDEMARKS)
    if table is None:
        return {}
    columns = ["contract", "certificate_id", "written_at", "table_version", "complete_through", "verdict"]
    by_id: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in table.to_table(columns, filter=wanted).to_pylist():
        by_id.setdefault((row["contract"], row["certificate_id"]), []).append(row)
    found: dict[str, list[list[dict[str, Any]]]] = {}
    for (contract, _), rows in sorted(by_id.items(), key=lambda item: item[1][0]["written_at"], reverse=True):
        found.setdefault(contract, []).append(rows)
    return found


def _first_ingest(ledger: Ledger, version: int) -> datetime | None:
    """Give when the first ingest at or after a version was committed."""
    commits = ledger.commits(max(version, ledger.first_version()))
    committed = next((commit.committed_at for commit in commits if commit.ingests), None)
    return None if committed is None else datetime.fromtimestamp(committed / 1000, UTC)


def _recent_rows(ledger: Ledger) -> tuple[int, int]:
    """Count the rows that the newest commits added, and those of them that are held back."""
    last = ledger.latest_version()
    rows = held_back = 0
    for commit in ledger.commits(max(0, last - _RECENT_COMMITS + 1), last):
        for action in ledger.actions(commit.version) if commit.ingests else ():
            path = Path(ledger.table, action["add"]["path"]) if "add" in action else None
            if path and path.exists():  # a vacuum may have been there
                errors = pq.read_table(path, columns=[ERRORS], partitioning=None).column(ERRORS)
                rows += len(errors)
                held_back += int(pc.sum(pc.greater(pc.list_value_length(errors), 0)).as_py() or 0)
    return rows, held_back


def _compactions(settings: Settings, since: datetime) -> dict[str, datetime]:
    table = opened(settings, MAINTENANCE)
    if table is None:
        return {}
    rows = table.to_table(["contract", "started_at", "done"], filter=ds.field("started_at") >= since).to_pylist()
    rows.sort(key=lambda row: row["started_at"])
    return {row["contract"]: row["started_at"] for row in rows if "compact" in json.loads(row["done"])}


def _table_look(settings: Settings, path: Path, compacted: Mapping[str, datetime]) -> TableLook:
    layer, name, size = path.parent.name, path.name, size_of(str(path))
    gate = _last_gate(settings, f"{layer}.{name}")
    return TableLook(
        layer=layer,
        name=name,
        version=size.version,
        files=size.files,
        bytes=size.bytes,
        rows=size.rows,
        compacted_at=compacted.get(name) if layer == "bronze" else None,
        gate=gate.get("verdict"),
        gated_at=datetime.fromisoformat(gate["at"]) if gate else None,
    )


def _last_gate(settings: Settings, table: str) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(gate_file(settings, table).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found
