"""The tables: their files and bytes, and the files of the most crowded partition."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake import DeltaTable
from prometheus_client.core import GaugeMetricFamily

from tidemark.metric_sources.part import gauge
from tidemark.metric_sources.versions import NewestVersion
from tidemark.settings import Settings
from tidemark.table_looks import LAYERS

_PARTITION = "partition"
_EVERY = timedelta(minutes=1)  # bronze changes twice a second, and a log of many files takes time to read


@dataclass(frozen=True)
class Crowd:
    """How large a version of a table is, and how crowded."""

    version: int
    files: int
    bytes: int
    most_in_partition: int


class Tables:
    """Every table that people and dashboards read."""

    source = "lake"

    def __init__(self, settings: Settings) -> None:
        self._root = Path(settings.lake_root)
        self._tables: dict[str, _Table] = {}

    def look(self, at: datetime) -> list[GaugeMetricFamily]:
        """Read the logs, as far as they are new."""
        paths = (log.parent for layer in LAYERS for log in self._root.glob(f"{layer}/*/_delta_log"))
        names = {f"{path.parent.name}.{path.name}": str(path) for path in sorted(paths)}
        self._tables = {name: self._tables.get(name) or _Table(path) for name, path in names.items()}
        found = {name: table.look(at) for name, table in self._tables.items()}
        in_partition = {name: each.most_in_partition for name, each in found.items()}
        return [
            gauge("table_files", "Files of the newest version.", "table", {n: each.files for n, each in found.items()}),
            gauge("table_bytes", "Bytes of those files.", "table", {n: each.bytes for n, each in found.items()}),
            gauge("table_partition_files", "Files of a table's most crowded partition.", "table", in_partition),
        ]


class _Table:
    """One table; it is opened once, and follows the log from there."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._newest = NewestVersion(path)
        self._delta: DeltaTable | None = None
        self._found = Crowd(-1, 0, 0, 0)
        self._read_at = datetime.fromtimestamp(0, UTC)

    def look(self, at: datetime) -> Crowd:
        version = self._newest.find()
        if version != self._found.version and at - self._read_at >= _EVERY:
            self._found, self._read_at = self._read(version), at
        return self._found

    def _read(self, version: int) -> Crowd:
        if self._delta is None or self._delta.version() > version:
            self._delta = DeltaTable(self._path)
        else:
            self._delta.update_incremental()
        files = self._delta.get_add_actions(flatten=False)
        size = sum(filter(None, files.column("size_bytes").to_pylist()))
        if _PARTITION not in files.schema.names:  # it has one for all
            return Crowd(version, files.num_rows, size, files.num_rows)
        in_each = Counter(map(str, files.column(_PARTITION).to_pylist()))
        return Crowd(version, files.num_rows, size, max(in_each.values(), default=0))
