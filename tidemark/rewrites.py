"""Rewrites that may change no content: what the files that a commit removed held, and what those it added hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable

from tidemark.content_hash import Content, content_of
from tidemark.ledger import Ledger

_Partition = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Rewrite:
    """One commit: the content of each partition before and after it."""

    version: int
    removed: dict[_Partition, Content]
    added: dict[_Partition, Content]

    @property
    def is_neutral(self) -> bool:
        """Tell whether every partition holds what it held."""
        return self.removed == self.added

    @property
    def rows(self) -> int:
        """Count the rows that it removed."""
        return sum(content.rows for content in self.removed.values())


def rewrites_of(table: str, mark: str, since: int) -> Iterator[Rewrite]:
    """Read the commits after a version that bear a mark in their `userMetadata`, and the files that they exchanged."""
    ledger = Ledger(table)
    for version in range(since + 1, ledger.latest_version() + 1):
        actions = list(ledger.actions(version))
        if any(action.get("commitInfo", {}).get("userMetadata") == mark for action in actions):
            yield _rewrite(table, version, actions)


def _rewrite(table: str, version: int, actions: list[dict[str, Any]]) -> Rewrite:
    current = DeltaTable(table)
    partitioned_by = current.metadata().partition_columns
    columns = [field.name for field in current.schema().fields if field.name not in partitioned_by]
    found: dict[str, dict[_Partition, list[Path]]] = {"remove": {}, "add": {}}
    for action in actions:
        for sort, files in found.items():
            if sort in action:
                partition = tuple(sorted(action[sort]["partitionValues"].items()))
                files.setdefault(partition, []).append(Path(table) / unquote(action[sort]["path"]))
    removed, added = (
        {partition: content_of(files, columns) for partition, files in found[sort].items()} for sort in found
    )
    return Rewrite(version, removed, added)
