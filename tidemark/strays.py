"""Strays: bronze rows at positions that no Kafka record can have, wherever in the table they are."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemark import bronze
from tidemark.bronze_records import Positions
from tidemark.compare import Kind
from tidemark.evidence import Flags
from tidemark.findings import Finding
from tidemark.record_hash import Integers
from tidemark.spans import Layout, Span

_NULL_TOPIC = ""


class Strays:
    """What a look at the position of every row found.

    Args of `add`: batches of all rows; each row is looked at once.
    """

    def __init__(self, topic: str, scope: Iterable[Span], allowed: Iterable[Span]) -> None:
        self.inside = 0  # rows of the scope
        self.quarantined = 0  # of those
        self._topic = topic
        self._scope = Layout(list(scope))
        self._allowed = Layout(list(allowed))
        self._found: dict[str, list[Integers]] = {}

    def add(self, rows: Positions) -> None:
        """Look at some rows."""
        own = _is(rows.topics, self._topic)
        inside = own & self._scope.inside(rows.partitions, rows.offsets)
        self.inside += int(inside.sum())
        self.quarantined += int(rows.quarantined[inside].sum())
        stray = own & ~self._allowed.inside(rows.partitions, rows.offsets)
        self._note(self._topic, rows, stray)
        if not own.all():
            self._note_foreign(rows, ~own)

    def findings(self) -> list[Finding]:
        """Give where the strays are, by topic and position."""
        found = []
        for topic, parts in sorted(self._found.items()):
            foreign = None if topic == self._topic else topic
            positions = np.unique(np.concatenate(parts), axis=0)
            first = np.diff(positions, axis=0, prepend=positions[:1] - 2) != (0, 1)
            starts = np.flatnonzero(first.any(axis=1))
            lengths = np.diff(starts, append=len(positions))
            for (partition, offset), length in zip(positions[starts].tolist(), lengths.tolist(), strict=True):
                found.append(Finding(Kind.PHANTOM, partition, offset, offset + length, foreign))
        return found

    def _note_foreign(self, rows: Positions, foreign: Flags) -> None:
        """Note rows of another topic; those from an export are none."""
        for topic in pc.unique(rows.topics.filter(pa.array(foreign))).to_pylist():
            if topic is None or not topic.startswith(bronze.EXPORT):
                of_topic = np.asarray(rows.topics.is_null()) if topic is None else _is(rows.topics, topic)
                self._note(_NULL_TOPIC if topic is None else topic, rows, of_topic)

    def _note(self, topic: str, rows: Positions, stray: Flags) -> None:
        if stray.any():
            positions = np.stack((rows.partitions[stray], rows.offsets[stray]), axis=1)
            self._found.setdefault(topic, []).append(positions)


def offsets_of(findings: Iterable[Finding]) -> int:
    """Count the offsets of some findings."""
    return sum(finding.end - finding.start for finding in findings)


def _is(topics: pa.Array, topic: str) -> Flags:
    return np.array(pc.equal(topics, topic).fill_null(False).to_numpy(zero_copy_only=False))
