"""The ledger as a whole: where its ranges begin and end, and what in it does not fit together."""

from collections.abc import Callable, Iterable

from tidemark.ledger import Commit, Label, Ledger, Range, count

_MOST_NOTES = 100  # of each sort; the rest are counted


Copied = Callable[[int, int], Iterable[Commit]]  # gives commits [first, last) that the log no longer has


class LedgerHistory:
    """What the commits of one table say, followed commit by commit; each is read once."""

    def __init__(self, ledger: Ledger, copied: Copied = lambda first, last: ()) -> None:
        self.version = -1
        self.newest: Label | None = None
        self.starts: dict[int, int] = {}  # where each partition's first ingest begins
        self.ends: dict[int, int] = {}
        self.is_whole = True  # False: commits are missing, so `starts` may be too late
        self.retired: dict[int, list[Range]] = {}  # what was let go of each partition
        self._ledger = ledger
        self._copied = copied
        self._torn: list[str] = []
        self._unlabelled: list[str] = []
        self._short: list[str] = []
        self._long: list[str] = []

    def follow(self) -> None:
        """Read the commits since the last call."""
        first = self.version + 1 or self._ledger.first_version()
        for commit in self._ledger.commits(first, self._ledger.latest_version(self.version)):
            if commit.version > self.version + 1:
                for older in self._copied(self.version + 1, commit.version):
                    self._add(older)
            self._add(commit)

    def notes(self, has_gaps: bool) -> list[str]:
        """Tell what does not fit together.

        Args:
            has_gaps: whether some offsets hold no record; then an ingest may have fewer rows than offsets.
        """
        sorts = (self._torn, self._unlabelled, self._long, [] if has_gaps else self._short)
        return [note for notes in sorts for note in _shortened(notes)]

    def _add(self, commit: Commit) -> None:
        self.is_whole = self.is_whole and commit.version == self.version + 1
        self.version = commit.version
        self._take(commit)

    def _take(self, commit: Commit) -> None:
        label = commit.ingests
        if commit.is_unlabelled:
            self._unlabelled.append(f"version {commit.version}: {commit.operation} changed data without a label")
        if commit.retires and self.newest and commit.retires.topic_id == self.newest.topic_id:
            for partition, ranges in commit.retires.retired.items():
                self.retired.setdefault(partition, []).extend(ranges)
        if label is None:
            return
        if self.newest is not None and self.newest.topic_id != label.topic_id:
            self._torn.append(f"version {commit.version}: the topic's id changes from {self.newest.topic_id}")
            self.starts, self.ends, self.retired = {}, {}, {}
        for partition, (start, end) in label.ranges.items():
            self._join(commit.version, partition, start)
            self.starts.setdefault(partition, start)
            self.ends[partition] = end
        self.newest = label
        self._count(commit, count(label.ranges))

    def _join(self, version: int, partition: int, start: int) -> None:
        end = self.ends.get(partition, start)
        if start != end:
            what = "a gap" if start > end else "an overlap"
            self._torn.append(f"version {version}: {what} in the ledger of partition {partition}: [{end},{start})")

    def _count(self, commit: Commit, offsets: int) -> None:
        if commit.rows is not None and commit.rows != offsets:
            note = f"version {commit.version}: an ingest of {offsets} offsets has {commit.rows} rows"
            (self._short if commit.rows < offsets else self._long).append(note)


def _shortened(notes: list[str]) -> list[str]:
    more = len(notes) - _MOST_NOTES
    return [*notes[:_MOST_NOTES], f"… and {more} more like the last"] if more > 0 else notes
