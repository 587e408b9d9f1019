"""What a gate judges: one version of a table, and of that the rows that are settled.

A bronze table is judged as dbt reads it: at the version that its newest proof looked at, below the tidemark. What no
proof covers, and tables that are built from settled rows only, are judged whole, at the newest version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from expectations.suites.gated import GatedTable, NoSuchTable
from tidemark import bronze
from tidemark.certificates import Tidemark, latest_tidemark
from tidemark.ledger import Commit, Ledger
from tidemark.names import literal
from tidemark.proof import iso
from tidemark.settings import Settings

_STALE_HOURS = 48.0  # every table is proven once a day


@dataclass(frozen=True)
class Pin:
    """A version, and which of its rows are settled."""

    version: Commit
    settled: str = "true"  # a condition in Spark's SQL
    window: Mapping[str, Any] = field(default_factory=dict)  # how far they are settled; empty: all are
    defects: tuple[tuple[str, str], ...] = ()  # what is wrong with it: a name, and why

    @property
    def words(self) -> str:
        """Say which rows those are."""
        if not self.window:
            return "all rows"
        offsets = ", ".join(f"{part}: {mark}" for part, mark in self.window["below"].items())
        through = self.window["complete_through"] or "no time"
        return f"rows below the tidemark (partition: offset) {offsets}, complete through {through}"


def pinned(settings: Settings, table: GatedTable) -> Pin:
    """Say what is judged of a table now.

    Raises:
        NoSuchTable: it is not there.
    """
    path = settings.table(table.layer, table.name)
    ledger = Ledger(path)
    if not ledger.exists():
        fix = "build it first; `tidemark status` says what runs"
        raise NoSuchTable(f"{table.suite.name}: there is no table at {path}", fix)
    newest = next(ledger.commits(ledger.latest_version()))
    tidemark = latest_tidemark(settings, table.contract) if table.contract else None
    return Pin(newest) if tidemark is None else _proven(ledger, newest, tidemark)


def committed_before(settings: Settings, table: str, at: int) -> int | None:
    """Give the version of another table that was the newest one at a time, or its first one; None: there is no table.

    Args:
        table: `<layer>.<table>`.
        at: milliseconds since the epoch.
    """
    ledger = Ledger(settings.table(*table.split(".", 1)))
    version = ledger.latest_version()
    first = ledger.first_version()
    while version > first and next(ledger.commits(version, version)).committed_at > at:
        version -= 1
    return None if version < 0 else version


def _proven(ledger: Ledger, newest: Commit, tidemark: Tidemark) -> Pin:
    origin = tidemark.origin
    proven = (
        next(ledger.commits(origin.table_version, origin.table_version), None) if origin.table_version >= 0 else None
    )
    if proven is None:
        why = f"the newest proof is of version {origin.table_version}, which the table does not have: prove it again"
        return Pin(newest, defects=(("version", why),))
    below = {mark.partition: mark.tidemark for mark in tidemark.partitions}
    window = {
        "certificate_id": origin.certificate_id,
        "topic": origin.topic,
        "below": below,
        "complete_through": iso(tidemark.complete_through),
    }
    return Pin(proven, _below(origin.topic, below), window, tuple(_defects(ledger, proven, newest, tidemark)))


def _defects(ledger: Ledger, proven: Commit, newest: Commit, tidemark: Tidemark) -> list[tuple[str, str]]:
    """Find why what is judged may not be what is read."""
    found = []
    if tidemark.verdict == "broken":
        found.append(("proof", f"certificate {tidemark.origin.certificate_id} says broken: see `tidemark prove`"))
    first = next((commit for commit in ledger.commits(proven.version + 1) if commit.ingests), None)
    hours = (newest.committed_at - first.committed_at) / 3_600_000 if first else 0.0
    if hours > _STALE_HOURS:
        why = f"version {proven.version} is stale: for {hours:.0f} hours up to {newest.version} nothing was proven"
        found.append(("version", why))
    return found


def _below(topic: str, below: Mapping[int, int]) -> str:
    """Give the condition of the rows below the tidemark; those of an export are settled when they land."""
    marks = [f"({bronze.PARTITION} = {part} AND {bronze.OFFSET} < {mark})" for part, mark in below.items()]
    inside = f"{bronze.TOPIC} = {literal(topic)} AND ({' OR '.join(marks) or 'false'})"
    return f"({bronze.TOPIC} LIKE '{bronze.EXPORT}%' OR ({inside}))"
