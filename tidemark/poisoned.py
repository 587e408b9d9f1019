"""`ops.poisoned_offsets`: the records that no stream could evaluate, each with the stack trace."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import pyarrow.compute as pc
import pyarrow.dataset as ds

from tidemark.ops_tables import POISONED_OFFSETS, append, opened
from tidemark.settings import Settings


@dataclass(frozen=True)
class Poisoned:
    """One record, and what evaluating it raised."""

    contract: str
    stream: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    found_at: datetime
    kind: str
    message: str
    trace: str


def keep_poisoned(settings: Settings, found: Sequence[Poisoned]) -> None:
    """Write down what was found; of a search that had to be repeated, twice.

    Raises:
        TidemarkError: the table can't be written.
    """
    append(settings, POISONED_OFFSETS, [asdict(each) for each in found])


def poisoned_positions(settings: Settings, topic: str, topic_id: str | None) -> list[tuple[int, int]]:
    """List the partition and offset of each poisoned record of a topic."""
    table = opened(settings, POISONED_OFFSETS)
    if table is None:
        return []
    # A filter on text does not reach the scan: the table is small.
    rows = table.to_table(columns=["topic", "topic_id", "partition", "offset"])
    rows = rows.filter(pc.and_(pc.equal(rows["topic"], topic), pc.equal(rows["topic_id"], topic_id or "")))
    found = zip(rows["partition"].to_pylist(), rows["offset"].to_pylist(), strict=True)
    return sorted({(int(partition), int(offset)) for partition, offset in found})


def poisoned_since(settings: Settings, since: datetime) -> list[tuple[str, datetime]]:
    """List the stream, and when it was found, of each record that was found poisoned after a time."""
    table = opened(settings, POISONED_OFFSETS)
    if table is None:
        return []
    rows = table.to_table(columns=["stream", "found_at"], filter=ds.field("found_at") > since).to_pylist()
    return [(row["stream"], row["found_at"]) for row in rows]
