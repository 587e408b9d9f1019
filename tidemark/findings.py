"""Findings of a comparison: offsets of each kind, buckets that are clean, and how far all is accounted for."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from tidemark.compare import BROKEN, CLEAN, Judged, Kind
from tidemark.evidence import Flags, sum_of_hashes
from tidemark.record_hash import Integers
from tidemark.spans import BUCKET, runs

_LISTED = (*BROKEN, Kind.EXPIRED)
_AT_ONCE = 10_000  # ranges: as Python's own numbers they take ten times the memory
_NOTHING = np.empty((0, 2), np.int64)


@dataclass(frozen=True)
class Finding:
    """Offsets [start, end) of one partition that are all of one kind."""

    kind: Kind
    partition: int
    start: int
    end: int
    topic: str | None = None  # only where it is not the contract's


@dataclass(frozen=True)
class Bucket:
    """Offsets [start, end) of one bucket, all clean: how many rows they have, and the sum of the rows' hashes."""

    partition: int
    bucket: int
    start: int
    end: int
    records: int
    sum_of_hashes: int  # modulo 2**64


@dataclass
class Mark:
    """How far everything of one partition is accounted for."""

    offset: int  # the first that is not
    time: int | None = None  # of the last row before it, in microseconds
    stopped: bool = False


@dataclass
class Findings:
    """What a comparison found. Ranges are kept as arrays: there may be millions of them."""

    counts: Counter[Kind] = field(default_factory=Counter)
    buckets: list[Bucket] = field(default_factory=list)
    marks: dict[int, Mark] = field(default_factory=dict)
    _ranges: dict[tuple[Kind, int], list[Integers]] = field(default_factory=lambda: defaultdict(list))

    @property
    def has_gaps(self) -> bool:
        """Whether some offsets hold no record, or may hold none."""
        return any(self.counts[kind] for kind in (Kind.ABORTED, Kind.COMPACTED, Kind.EXPIRED))

    def ranges(self, kind: Kind) -> Iterator[Finding]:
        """Give the ranges of one kind (one of BROKEN, or EXPIRED) by partition and offset."""
        for partition in sorted(each for of_kind, each in self._ranges if of_kind == kind):
            ranges = _joined(self._ranges[kind, partition])
            for first in range(0, len(ranges), _AT_ONCE):
                for start, end in ranges[first : first + _AT_ONCE].tolist():
                    yield Finding(kind, partition, start, end)

    def add(self, piece: Judged) -> None:
        """Take in one piece; those of a partition come in order."""
        kinds = np.bincount(piece.kinds, minlength=len(Kind))
        self.counts.update({kind: int(kinds[kind]) for kind in Kind if kinds[kind]})
        span = piece.evidence.span
        for kind in (each for each in _LISTED if kinds[each]):
            self._ranges[kind, span.partition].append(runs(piece.kinds == kind) + span.start)
        clean = np.isin(piece.kinds, CLEAN)
        self.buckets += _clean_buckets(piece, clean)
        self._move_mark(piece, int(np.argmin(clean)) if not clean.all() else len(span))

    def _move_mark(self, piece: Judged, accounted: int) -> None:
        span = piece.evidence.span
        mark = self.marks.setdefault(span.partition, Mark(span.start))
        if mark.stopped:
            return
        rows = np.flatnonzero(piece.evidence.single[:accounted])
        mark.time = int(piece.evidence.row_times[rows[-1]]) if len(rows) else mark.time
        mark.offset = span.start + accounted
        mark.stopped = accounted < len(span)


def found(pieces: Iterable[Judged]) -> Findings:
    """Gather the findings of all pieces."""
    findings = Findings()
    for piece in pieces:
        findings.add(piece)
    return findings


def _clean_buckets(piece: Judged, clean: Flags) -> Iterator[Bucket]:
    span = piece.evidence.span
    for bucket in range(span.start // BUCKET, -(-span.end // BUCKET)):
        start, end = max(span.start, bucket * BUCKET), min(span.end, (bucket + 1) * BUCKET)
        part = slice(start - span.start, end - span.start)
        if clean[part].all():
            yield Bucket(span.partition, bucket, start, end, *sum_of_hashes(piece.evidence, part))


def _joined(parts: list[Integers]) -> Integers:
    """Join ranges that touch, as those at the two sides of a cut do."""
    ranges = np.concatenate(parts) if parts else _NOTHING
    if not len(ranges):
        return ranges
    apart = ranges[1:, 0] != ranges[:-1, 1]
    starts = ranges[:, 0][np.concatenate(([True], apart))]
    ends = ranges[:, 1][np.concatenate((apart, [True]))]
    return np.stack((starts, ends), axis=1)
