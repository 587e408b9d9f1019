"""What gates found: one row of `ops.gate_verdicts` each, and the last one of each table in a file of its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow.dataset as ds

from tidemark.ops_tables import GATE_VERDICTS, append, opened
from tidemark.private_files import write_private
from tidemark.settings import Settings
from tidemark.table_looks import gate_file


@dataclass(frozen=True)
class GateVerdict:
    """One gate's verdict on one version of a table."""

    table: str  # <layer>.<table>
    at: datetime
    verdict: str  # pass, warn or fail
    version: int
    committed_at: datetime
    rows: int | None
    contract_version: str | None
    suite: str
    window: Mapping[str, Any]
    seconds: float
    checks: tuple[Mapping[str, Any], ...]

    def not_met(self) -> list[str]:
        """Name the checks that failed or warned."""
        return [str(check["check"]) for check in self.checks if check["verdict"] != "pass"]


def keep_verdict(settings: Settings, found: GateVerdict) -> None:
    """Append a verdict, and keep it as its table's last one for those that want no more."""
    texts = {"window": json.dumps(found.window), "checks": json.dumps(list(found.checks))}
    append(settings, GATE_VERDICTS, [{**vars(found), **texts}])
    file = gate_file(settings, found.table)
    file.parent.mkdir(parents=True, exist_ok=True)
    last = {"verdict": found.verdict, "version": found.version, "at": found.at.isoformat()}
    write_private(file, json.dumps(last))


def verdicts_since(settings: Settings, since: datetime) -> dict[str, list[GateVerdict]]:
    """Give the verdicts on each table, the oldest first."""
    table = opened(settings, GATE_VERDICTS)
    rows = [] if table is None else table.to_table(filter=ds.field("at") >= since).to_pylist()
    found: dict[str, list[GateVerdict]] = {}
    for row in sorted(rows, key=lambda row: row["at"]):
        texts = {"window": json.loads(row["window"]), "checks": tuple(json.loads(row["checks"]))}
        found.setdefault(row["table"], []).append(GateVerdict(**{**row, **texts}))
    return found
