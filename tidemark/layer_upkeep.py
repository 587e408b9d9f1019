"""Upkeep of the layers behind bronze, without Spark: files that nobody needs are removed, many small ones become few.

Bronze has its own, `tidemark maintain`: its files are evidence. Tables of the speed layer are not compacted: a file has
rows of one hour, and a micro-batch writes its hour again, so larger files would only cost more.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from tidemark.locks import exclusive
from tidemark.model_builds import last_reads
from tidemark.settings import Settings


class Layer(StrEnum):
    """A layer behind bronze."""

    SPEED = "speed"
    SILVER = "silver"
    GOLD = "gold"
    OPS = "ops"


# How long a file stays that has left its table. A speed table's hour is written again with every micro-batch.
RETAINED: Mapping[Layer, timedelta] = MappingProxyType(
    {layer: timedelta(days=1 if layer is Layer.SPEED else 7) for layer in Layer}
)
CROWDED = 100  # small files of a table

_TARGET_BYTES = 128 * 2**20
_SMALL_BYTES = _TARGET_BYTES // 2
_MARGIN = timedelta(days=1)  # between a build's look at a table and the build's record
_LOGGED = timedelta(days=30)  # as long as Delta's log tells what changed, and so the longest that a reader may be away
_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Kept:
    """What upkeep did to a table, or would do."""

    table: str
    files_joined: int
    files_removed: int
    retained_hours: int
    problem: str = ""


def maintain_layer(settings: Settings, layer: Layer, dry_run: bool = False) -> Iterator[Kept]:
    """Keep each table of a layer, and tell of each; one that can't be kept stops no other.

    Raises:
        LockHeld: another process is at it.
    """
    lock = settings.locks / f"layer.{layer}.upkeep"
    with exclusive(lock, f"the upkeep lock of the layer {layer}", _LOCK_SECONDS):
        now, reads = datetime.now(UTC), last_reads(settings)
        for path in sorted(log.parent for log in Path(settings.lake_root, layer).glob("*/_delta_log")):
            retained = _retained(layer, reads.get(f"{layer}.{path.name}"), now)
            yield _kept(path, layer, math.ceil(retained / timedelta(hours=1)), dry_run)


def _retained(layer: Layer, read_at: datetime | None, now: datetime) -> timedelta:
    """Give for how long files stay: as long as it takes a model that was built long ago to read what changed since."""
    away = min(now - read_at + _MARGIN, _LOGGED) if read_at else timedelta()
    return max(RETAINED[layer], away)


def _kept(path: Path, layer: Layer, hours: int, dry_run: bool) -> Kept:
    joined, removed, problem = 0, 0, ""
    try:
        delta = DeltaTable(path)
        if layer is not Layer.SPEED:
            joined = _compacted(delta, dry_run)
        removed = _vacuumed(delta, path, hours, dry_run)
    except CommitFailedError as error:
        problem = f"it was written meanwhile: {error}"
    except (DeltaError, OSError) as error:
        problem = str(error)
    return Kept(f"{layer}.{path.name}", joined, removed, hours, problem)


def _vacuumed(delta: DeltaTable, path: Path, hours: int, dry_run: bool) -> int:
    """Remove files that left the table so many hours ago; give how many they were."""
    files = delta.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
    there = sum((path / file).exists() for file in files)  # the log remembers those of an earlier vacuum for a while
    if there and not dry_run:
        delta.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True)
    return there


def _compacted(delta: DeltaTable, dry_run: bool) -> int:
    """Join small files where there are too many; give how many they were."""
    sizes = delta.get_add_actions(flatten=True).column("size_bytes").to_pylist()
    small = len([size for size in sizes if size < _SMALL_BYTES])
    if small < CROWDED:
        return 0
    if not dry_run:
        delta.optimize.compact(target_size=_TARGET_BYTES, max_concurrent_tasks=2)
    return small
