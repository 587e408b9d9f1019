"""The rules of the write: what must hold before a micro-batch may be committed to bronze, and after it.

A breach stops the stream and says what to do. Nothing here touches Spark: the rules are about offsets and the ledger.
"""

from tidemark.errors import TidemarkError
from tidemark.ledger import Commit, Label, Ledger, Ranges, ends


class RuleBreach(TidemarkError):
    """A micro-batch may not be written: going on would lose records or land them twice."""


class LedgerTail:
    """Follows the newest ingest commit of one table, reading each commit once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._version = -1
        self._newest: Commit | None = None

    def newest(self) -> Label | None:
        """Give the label of the newest ingest commit."""
        version = self._ledger.latest_version(self._version)
        if self._version < 0:
            self._newest = self._ledger.newest_ingest(version)
        else:
            for commit in self._ledger.commits(self._version + 1, version):
                self._newest = commit if commit.ingests else self._newest
        self._version = version
        return self._newest.label if self._newest else None

    @property
    def commit(self) -> Commit | None:
        """Give the commit of the label that was given last."""
        return self._newest


def is_committed(label: Label, newest: Label | None) -> bool:
    """Tell whether the batch is in the table already; then it must have been this one.

    Raises:
        RuleBreach: the ledger has the batch with other ranges, or has later ones.
    """
    if newest is None or newest.checkpoint != label.checkpoint or newest.batch < label.batch:
        return False
    if newest.batch == label.batch and newest.ranges == label.ranges:
        return True
    raise RuleBreach(
        f"{label.query}: batch {label.batch} covers {_shown(label.ranges)}, but the ledger has batch {newest.batch} "
        f"with {_shown(newest.ranges)} under the same checkpoint",
        "the checkpoint is older than the table: `tidemark restart streams` starts one that continues the ledger",
    )


def starts_at_the_end(label: Label, newest: Label | None) -> None:
    """Refuse a batch that does not start where the ledger ends, partition by partition.

    Raises:
        RuleBreach: there would be a gap or an overlap.
    """
    ledger_ends = ends(newest.ranges) if newest else {}
    for partition, (start, _) in label.ranges.items():
        expected = ledger_ends.get(partition, start)
        if start != expected:
            kind = "lost" if start > expected else "landed twice"
            raise RuleBreach(
                f"{label.query}: batch {label.batch} starts at offset {start} of {label.topic}/{partition}, but the "
                f"ledger ends at {expected}: offsets between them would be {kind}",
                "`tidemark restart streams` starts a checkpoint that continues the ledger",
            )
    dropped = sorted(ledger_ends.keys() - label.ranges.keys())
    if dropped:
        raise RuleBreach(
            f"{label.query}: batch {label.batch} leaves out partitions {dropped} of {label.topic} that the ledger has",
            "a topic loses partitions only when it is recreated: `tidemark topic adopt` archives the table",
        )


def is_the_same_topic(label: Label, newest: Label | None) -> None:
    """Refuse a topic that was deleted and created again under the same name.

    Raises:
        RuleBreach: the ledger knows the topic under another id.
    """
    if newest is not None and newest.topic_id != label.topic_id:
        raise RuleBreach(
            f"{label.query}: topic {label.topic} is {label.topic_id} now, but the table holds {newest.topic_id}: "
            "it was deleted and created again, and its offsets mean other records",
            f"`tidemark topic adopt {label.query.removeprefix('bronze_')}` archives the table and starts a new one",
        )


def is_confirmed(label: Label, newest: Label | None) -> None:
    """Check, after the write, that the ledger has the batch, and nothing of another writer after it.

    Raises:
        RuleBreach: it has not.
    """
    if newest != label:
        found = "nothing" if newest is None else f"batch {newest.batch} with {_shown(newest.ranges)}"
        raise RuleBreach(
            f"{label.query}: batch {label.batch} was written, but the newest entry of the ledger is {found}",
            f"run `tidemark prove {label.query.removeprefix('bronze_')}` and look at the table's history",
        )


def _shown(ranges: Ranges) -> str:
    return ", ".join(f"{partition}:[{start},{end})" for partition, (start, end) in sorted(ranges.items()))
