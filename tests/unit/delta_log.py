"""A table's log, written by hand as Delta writes it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from tidemark.ledger import Commit, Ledger


class Table:
    """A table that has nothing but its log."""

    def __init__(self, path: Path) -> None:
        self.log = path / "_delta_log"
        self.log.mkdir()
        self.ledger = Ledger(str(path))

    def commit(
        self, operation: str = "WRITE", metadata: str | None = None, data: bool = True, rows: int | None = 10
    ) -> int:
        """Write the next commit as Delta does: one action a line, `commitInfo` first."""
        version = len(list(self.log.glob("*.json")))
        info: dict[str, Any] = {"timestamp": 1_750_000_000_000 + version, "operation": operation}
        info["operationMetrics"] = {} if rows is None else {"numFiles": "1", "numOutputRows": str(rows)}
        info |= {} if metadata is None else {"userMetadata": metadata}
        add = {"path": f"{version}.parquet", "size": 1, "dataChange": data, "stats": '{"numRecords":10}'}
        self.write(version, {"commitInfo": info}, {"txn": {"appId": "a", "version": version}}, {"add": add})
        return version

    def write(self, version: int, *actions: dict[str, Any]) -> None:
        lines = (json.dumps(action, separators=(",", ":")) + "\n" for action in actions)
        (self.log / f"{version:020d}.json").write_text("".join(lines))

    def only(self) -> Commit:
        (commit,) = self.ledger.commits()
        return commit


def age_removals(commit: Path, age: timedelta) -> None:
    """Let a commit's files have been removed so much earlier."""
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    for action in (each["remove"] for each in actions if "remove" in each):
        action["deletionTimestamp"] -= age // timedelta(milliseconds=1)
    commit.write_text("".join(json.dumps(each) + "\n" for each in actions))
