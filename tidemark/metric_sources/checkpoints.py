"""The streams' checkpoints: whether each is there, and how large it is."""

import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily

from tidemark.contracts import Contract
from tidemark.metric_sources.part import gauge
from tidemark.settings import Settings
from tidemark.status import stream_statuses
from tidemark.stream_looks import begun_streams
from tidemark.watch import last_look

_METADATA = "metadata"


class Checkpoints:
    """The checkpoints of every stream that has run."""

    source = "lake"

    def __init__(self, settings: Settings, contracts: Mapping[str, Contract]) -> None:
        self._settings = settings
        self._contracts = contracts
        self._known: set[str] = set()

    def look(self, at: datetime) -> list[GaugeMetricFamily]:
        """Look at each folder; of a stream that has run one is missed where there is none."""
        self._known.update(begun_streams(self._settings), self._others())
        folders = {name: self._settings.checkpoint(name) for name in sorted(self._known)}
        present = {name: (folder / _METADATA).exists() for name, folder in folders.items()}
        sizes = {name: size_of(folder) for name, folder in folders.items() if present[name]}
        return [
            gauge("checkpoint_present", "0: a stream that has run has none.", "stream", present),
            gauge("checkpoint_bytes", "Size of a checkpoint's files.", "stream", sizes),
        ]

    def _others(self) -> Iterable[str]:
        """Name streams that have run, wherever their checkpoints are."""
        yield from (each["name"] for each in stream_statuses(self._settings) if each["state"] == "running")
        before = last_look(self._settings)
        yield from (stream.name for stream in before.streams if stream.taken) if before else ()
        for contract in self._contracts.values():
            if any(Path(self._settings.table("bronze", contract.id)).glob("_ingest_date=*")):
                yield contract.bronze_query


def size_of(folder: Path) -> int:
    """Sum the sizes of all files below a folder; the stream removes some meanwhile."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(path, name)).st_size  # noqa: PTH116, PTH118 - a thousand files a look
            except FileNotFoundError:
                continue
    return total
