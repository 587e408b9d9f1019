"""Read a stream's checkpoint: which offsets each micro-batch has.

Spark writes `offsets/<N>` before batch N runs, `commits/<N>` after it, and where a Kafka source began in `sources/0/0`.
Layout: Spark's OffsetSeqLog, CommitLog and KafkaSourceInitialOffsetWriter.
"""

import json
import shutil
import time
from pathlib import Path

from tidemark.ledger import Ranges


class Checkpoint:
    """One query's checkpoint folder, as far as it tells of one of its Kafka sources, which has one topic."""

    def __init__(self, path: Path, topic: str, source: int = 0) -> None:
        self.path = path
        self.topic = topic
        self._source = source  # in the order in which the query's plan has them

    def exists(self) -> bool:
        """Tell whether a query was ever started on it."""
        return (self.path / "metadata").exists()

    def id(self) -> str:
        """Give the id that Spark drew for it: another checkpoint of the same query has another one."""
        return str(json.loads((self.path / "metadata").read_text())["id"])

    def last_batch(self) -> int:
        """Give the newest batch that was planned; -1: none."""
        return max((int(path.name) for path in (self.path / "offsets").glob("[0-9]*")), default=-1)

    def ranges(self, batch: int) -> Ranges:
        """Give each partition's range of a planned batch.

        A partition that is new in this batch starts at its beginning: 0, unless Kafka has expired it, which Spark
        refuses under failOnDataLoss.
        """
        starts = self.starts(batch)
        return {partition: (starts.get(partition, 0), end) for partition, end in self.ends(batch).items()}

    def ends(self, batch: int) -> dict[int, int]:
        """Give where each partition's range of a planned batch ends."""
        lines = (self.path / "offsets" / str(batch)).read_text().splitlines()
        return self._positions(lines[2 + self._source])

    def starts(self, batch: int) -> dict[int, int]:
        """Give where each partition's range of a batch starts: where the one before it ended."""
        if batch > 0:
            return self.ends(batch - 1)
        initial = (self.path / "sources" / str(self._source) / "0").read_text()
        return self._positions(initial[initial.index("{") :])

    def archive(self) -> Path:
        """Move it aside, so that the query starts a new one; give where it went."""
        aside = self.path.with_name(f"{self.path.name}.superseded-{time.time_ns()}")
        shutil.move(self.path, aside)
        return aside

    def _positions(self, text: str) -> dict[int, int]:
        topics: dict[str, dict[str, int]] = json.loads(text)
        return {int(partition): offset for partition, offset in topics[self.topic].items()}
