"""The ledger: which offsets each commit of a bronze table holds, written in the commits themselves.

Each data-changing commit carries a label (JSON) in Delta's `userMetadata`; Delta's own row count stands beside it in
the same commit. Delta protocol: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#commit-provenance-information
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["ingest", "repair", "replay", "backfill", "retire", "rewrite"]
Range = tuple[int, int]  # [start, end) of one partition's offsets
Ranges = Mapping[int, Range]

_OWN_OPERATIONS = frozenset(
    # Operations of Delta's own that change no data, whatever their files: they need no label.
    ("OPTIMIZE", "CREATE TABLE", "SET TBLPROPERTIES", "ADD COLUMNS", "CHANGE COLUMN", "VACUUM START", "VACUUM END")
)


_COMMIT_FILES = "[0-9]" * 20 + ".json"  # compacted logs and some checkpoints are .json too
_CHANGES_DATA = re.compile(r'"dataChange"\s*:\s*true')


@dataclass(frozen=True)
class Label:
    """What a commit says of itself."""

    kind: Kind
    query: str
    batch: int
    checkpoint: str
    topic: str
    topic_id: str
    ranges: Ranges
    contract_version: str
    retired: Mapping[int, Sequence[Range]] = field(default_factory=dict)  # exactly, where `ranges` are their hulls

    def to_json(self) -> str:
        """Write the label as the ledger keeps it."""
        data: dict[str, Any] = {
            "kind": self.kind,
            "query": self.query,
            "batch": self.batch,
            "checkpoint": self.checkpoint,
            "topic_id": self.topic_id,
            "ranges": {self.topic: {str(part): list(span) for part, span in sorted(self.ranges.items())}},
            "contract_version": self.contract_version,
        }
        if self.retired:
            data["retired"] = {str(part): [list(span) for span in spans] for part, spans in self.retired.items()}
        return json.dumps(data)

    @classmethod
    def from_json(cls, text: str) -> "Label | None":
        """Read a label; None where the text is none of ours."""
        try:
            data = json.loads(text)
            ((topic, spans),) = data["ranges"].items()
            ranges = {int(part): (int(start), int(end)) for part, (start, end) in spans.items()}
            retired = {int(part): [(int(a), int(b)) for a, b in each] for part, each in data.get("retired", {}).items()}
            own = (data["checkpoint"], topic, data["topic_id"], ranges, data["contract_version"], retired)
            return cls(data["kind"], data["query"], int(data["batch"]), *own)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


@dataclass(frozen=True)
class Commit:
    """One commit of a table, as far as the ledger is concerned."""

    version: int
    operation: str
    committed_at: int  # ms since the epoch
    changes_data: bool
    rows: int | None  # Delta's numOutputRows, where the operation reports it
    label: Label | None
    metrics: Mapping[str, str] = field(default_factory=dict, compare=False)
    read_version: int | None = field(default=None, compare=False)  # of the table, when the writer began

    @property
    def ingests(self) -> Label | None:
        """The label, if this is an append that a stream made: an OPTIMIZE with a leaked label is none."""
        label = self.label
        return label if label is not None and label.kind == "ingest" and self.operation == "WRITE" else None

    @property
    def retires(self) -> Label | None:
        """The label, if this let days go whose time was up."""
        label = self.label
        return label if label is not None and label.kind == "retire" and self.operation == "DELETE" else None

    @property
    def was_tried_again(self) -> bool:
        """Tell whether another commit took the version that this one was made for."""
        return self.read_version is not None and self.version > self.read_version + 1

    @property
    def is_unlabelled(self) -> bool:
        """Tell whether data changed without a word of why."""
        return self.changes_data and self.label is None and self.operation not in _OWN_OPERATIONS


class Ledger:
    """Reads the commits of one table on a local or mounted file system."""

    def __init__(self, table: str) -> None:
        self.table = table
        self._log = Path(table) / "_delta_log"

    def exists(self) -> bool:
        """Tell whether there is a table."""
        return self._log.is_dir() and any(self._log.glob("*.json"))

    def first_version(self) -> int:
        """Give the oldest version that the log still has; 0 where there is no table."""
        return min((int(path.stem) for path in self._log.glob(_COMMIT_FILES)), default=0)

    def latest_version(self, known: int = -1) -> int:
        """Give the newest version at or after `known`; -1 where there is no table.

        Versions are consecutive, so from a known one the next are asked for by name: no listing.
        """
        if known < 0:
            return max((int(path.stem) for path in self._log.glob(_COMMIT_FILES)), default=-1)
        while self._path(known + 1).exists():
            known += 1
        return known

    def commits(self, first: int = 0, last: int | None = None) -> Iterator[Commit]:
        """Read commits in the order of their versions, both ends included."""
        end = self.latest_version() if last is None else last
        for version in range(first, end + 1):
            try:
                yield read_commit(version, self._path(version))
            except FileNotFoundError:  # upkeep has cleaned it, perhaps just now
                continue

    def newest_ingest(self, last: int | None = None) -> Commit | None:
        """Give the newest ingest commit at or before a version; its ranges' ends are the ledger's ends."""
        end = self.latest_version() if last is None else last
        for version in range(end, -1, -1):
            path = self._path(version)
            if not path.exists():
                continue
            commit = read_commit(version, path)
            if commit.ingests:
                return commit
        return None

    def actions(self, version: int) -> Iterator[dict[str, Any]]:
        """Read what one commit does, action by action."""
        for line in self._path(version).read_text(encoding="utf-8").splitlines():
            yield json.loads(line)

    def _path(self, version: int) -> Path:
        return self._log / f"{version:020d}.json"


def read_commit(version: int, path: Path) -> Commit:
    """Read one commit file."""
    text = path.read_text(encoding="utf-8")
    info: dict[str, Any] = {}
    for line in text.splitlines():
        if line.startswith('{"commitInfo"'):
            info = json.loads(line)["commitInfo"]
            break
    metrics: dict[str, str] = info.get("operationMetrics", {})
    rows = metrics.get("numOutputRows")
    label = Label.from_json(info["userMetadata"]) if "userMetadata" in info else None
    return Commit(
        version=version,
        operation=str(info.get("operation", "")),
        committed_at=int(info.get("timestamp", 0)),
        changes_data=_CHANGES_DATA.search(text) is not None,
        rows=None if rows is None else int(rows),
        label=label,
        metrics=metrics,
        read_version=info.get("readVersion"),
    )


def ends(ranges: Ranges) -> dict[int, int]:
    """Give where each partition's range ends."""
    return {partition: end for partition, (_, end) in ranges.items()}


def count(ranges: Ranges) -> int:
    """Count the offsets of all ranges."""
    return sum(end - start for start, end in ranges.values())
