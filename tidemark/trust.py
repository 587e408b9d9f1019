"""What can be trusted of each table: how far it is proven, what its gates said, what it got and what is held back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tidemark.certificates import Tidemark, earliest, latest_tidemark
from tidemark.contracts import Contract, read_contracts
from tidemark.gate_verdicts import GateVerdict, verdicts_since
from tidemark.ledger import Ledger
from tidemark.lineage import Graph, Lineage, graph_of
from tidemark.maintenance import size_of
from tidemark.settings import Settings
from tidemark.volumes import HeldBack, Volume, expected_volume, held_back, ingested

DAYS = 14
GATES = 30  # the newest verdicts on a table

_GATED = ("bronze", "silver", "gold")


@dataclass(frozen=True)
class Proven:
    """What the newest proof says, of a bronze table or of all that a table is built from."""

    complete_through: datetime | None
    verdict: str  # proven, broken or unknown; the worst of several
    certificate_ids: tuple[str, ...]


@dataclass(frozen=True)
class TrustedTable:
    """One table, as far as it can be trusted."""

    layer: str
    name: str
    version: int
    rows: int
    changed_at: datetime  # when its newest version was committed
    proven: Proven | None  # None: nothing of it was ever proven
    gates: Sequence[GateVerdict]  # the oldest first
    volume: Volume  # of bronze what landed each day, of others what gates counted
    held_back: HeldBack | None  # of bronze only
    lineage: Lineage

    @property
    def full_name(self) -> str:
        """Layer and name."""
        return f"{self.layer}.{self.name}"

    @property
    def gate(self) -> GateVerdict | None:
        """The newest verdict."""
        return self.gates[-1] if self.gates else None

    @property
    def state(self) -> str:
        """The worst of proof and gate: fail, warn, unknown or pass."""
        gate = self.gate.verdict if self.gate else "unknown"
        proof = {"proven": "pass", "broken": "fail"}.get(self.proven.verdict if self.proven else "", "unknown")
        return next(state for state in ("fail", "warn", "unknown", "pass") if state in (gate, proof))


@dataclass(frozen=True)
class Trust:
    """All tables, at one time."""

    at: datetime
    tables: Sequence[TrustedTable]

    def count(self, state: str) -> int:
        """Count the tables in a state."""
        return sum(table.state == state for table in self.tables)


def trust(settings: Settings, at: datetime) -> Trust:
    """Look at every table that has a gate: bronze, silver, gold."""
    contracts = read_contracts(settings.contracts_dir)
    look = _Look(settings, at, contracts)
    paths = [path.parent for layer in _GATED for path in sorted(Path(settings.lake_root, layer).glob("*/_delta_log"))]
    return Trust(at, [look.at_table(path.parent.name, path.name) for path in paths])


class _Look:
    """What all tables' looks share."""

    def __init__(self, settings: Settings, at: datetime, contracts: Mapping[str, Contract]) -> None:
        self._settings = settings
        self._today = at.date()
        self._graph: Graph = graph_of(settings, contracts)
        self._gates = verdicts_since(settings, at - timedelta(days=DAYS))
        marks = {f"bronze.{name}": latest_tidemark(settings, name) for name in contracts}
        self._tidemarks = {name: mark for name, mark in marks.items() if mark is not None}

    def at_table(self, layer: str, name: str) -> TrustedTable:
        """Look at one table."""
        table, path = f"{layer}.{name}", self._settings.table(layer, name)
        gates, lineage, size = self._gates.get(table, []), self._graph.of(table), size_of(path)
        since = self._today - timedelta(days=DAYS - 1)
        days = ingested(path, since) if layer == "bronze" else _counted(gates)
        return TrustedTable(
            layer=layer,
            name=name,
            version=size.version,
            rows=size.rows,
            changed_at=_committed_at(path),
            proven=self._proven(table, lineage),
            gates=gates[-GATES:],
            volume=expected_volume(days, self._today),
            held_back=held_back(path, since) if layer == "bronze" else None,
            lineage=lineage,
        )

    def _proven(self, table: str, lineage: Lineage) -> Proven | None:
        """Give what is proven of a table: no more than of any that it is built from."""
        sources = [name for name in (table, *lineage.before) if name.startswith("bronze.")]
        marks = [self._tidemarks[name] for name in sources if name in self._tidemarks]
        if not marks or len(marks) < len(sources):
            return None
        return _joined(marks)


def _joined(marks: Sequence[Tidemark]) -> Proven:
    verdicts = [mark.verdict for mark in marks]
    worst = next(verdict for verdict in ("broken", "unknown", "proven") if verdict in verdicts)
    through = earliest(mark.complete_through for mark in marks)
    return Proven(through, worst, tuple(mark.origin.certificate_id for mark in marks))


def _counted(gates: Sequence[GateVerdict]) -> dict[date, int]:
    """Give the rows that the last gate of each day counted."""
    return {gate.at.date(): gate.rows for gate in gates if gate.rows is not None}


def _committed_at(path: str) -> datetime:
    ledger = Ledger(path)
    newest = next(ledger.commits(ledger.latest_version()))
    return datetime.fromtimestamp(newest.committed_at / 1000, UTC)
