"""What a table's version decides, read once for each version."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from tidemark.ledger import Ledger

T = TypeVar("T")


class NewestVersion:
    """Follows a table's versions: from a known one the next are asked for by name, and the log is not listed."""

    def __init__(self, table: str) -> None:
        self._ledger = Ledger(table)
        self._known = -1

    def find(self) -> int:
        """Give the newest version; -1: there is no table."""
        if not Path(self._ledger.table, "_delta_log", f"{self._known:020d}.json").exists():
            self._known = -1  # the table was made anew, or its log was cleaned
        self._known = self._ledger.latest_version(self._known)
        return self._known


class OfVersion(Generic[T]):
    """A value that is read anew where its table has another version."""

    def __init__(self, table: str, read: Callable[[], T]) -> None:
        self._newest = NewestVersion(table)
        self._read = read
        self._version: int | None = None

    def get(self) -> T:
        """Give the value of the newest version."""
        version = self._newest.find()
        if version != self._version:
            self._value = self._read()
            self._version = version
        return self._value
