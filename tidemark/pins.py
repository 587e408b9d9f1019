"""What a proof is about: Kafka at its last stable offsets, then the table at a version; nothing of it moves."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from tidemark.errors import TidemarkError
from tidemark.ledger_history import LedgerHistory
from tidemark.spans import Span
from tidemark.topics import Bounds, Topics

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

_PAUSE = 0.1  # seconds between two looks at the ledger


class CannotTell(TidemarkError):
    """The two sides can't be compared: neither proven nor broken."""

    exit_code = 2


@dataclass(frozen=True)
class Scope:
    """What a proof is about in one partition: it compares [start, end); [end, stable) is pending."""

    partition: int
    start: int
    end: int
    stable: int  # one past the last offset that Kafka had decided when the proof began

    @property
    def span(self) -> Span:
        """The offsets to compare."""
        return Span(self.partition, self.start, self.end)


@dataclass(frozen=True)
class PinnedTopic:
    """A topic as it was when the proof began."""

    name: str
    topic_id: str
    at: datetime
    bounds: Mapping[int, Bounds]

    def missing(self, ends: Mapping[int, int]) -> int:
        """Count the offsets beyond the ledger's ends."""
        return sum(max(0, each.last_stable - ends.get(partition, each.low)) for partition, each in self.bounds.items())

    def scopes(self, history: LedgerHistory) -> list[Scope]:
        """Give what is to be compared.

        A scope begins where the ledger does, or before it where Kafka still has older records: those are lost. It ends
        where the ledger does, or where Kafka begins if that is later: what expired before it was taken won't come.
        """
        return [_scope(partition, bounds, history) for partition, bounds in sorted(self.bounds.items())]

    def is_complete(self, partition: int, tidemark: int) -> bool:
        """Tell whether a tidemark is at the end of all that was written; a transaction may have been open there."""
        bounds = self.bounds[partition]
        return tidemark == bounds.last_stable == bounds.high


@contextmanager
def silent(_what: str, _total: int) -> Iterator[Callable[[int], None]]:
    """Show no progress."""
    yield lambda _done: None


def pinned(topics: Topics, name: str) -> PinnedTopic:
    """Pin a topic at its last stable offsets."""
    identity, at = topics.identity(name), datetime.now(UTC)  # the time before the offsets: it must not claim too much
    return PinnedTopic(name, identity or "gone", at, topics.bounds(name))


def follow_until_taken(history: LedgerHistory, pin: PinnedTopic, seconds: float, progress: Progress) -> None:
    """Follow the ledger until the stream has taken every pinned offset, for some seconds at most.

    Raises:
        CannotTell: the table holds another topic, or its log is no longer whole.
    """
    deadline = time.monotonic() + seconds
    history.follow()
    total = pin.missing(history.ends)
    with progress("waiting for the stream", total) as show:
        while is_behind(history, pin) and time.monotonic() < deadline:
            refuse_another_topic(pin, history)
            time.sleep(_PAUSE)  # a commit has no event that reaches another process
            history.follow()
            show(total - pin.missing(history.ends))
    refuse_another_topic(pin, history)
    if not history.is_whole:
        raise CannotTell(
            "the first commits of the table's log are gone, so where its ledger begins is not known",
            "upkeep cleans what it has copied to ops.ledger (delta.enableExpiredLogCleanup=false): restore the log, or "
            "that table, from a backup",
        )


def is_behind(history: LedgerHistory, pin: PinnedTopic) -> bool:
    """Tell whether the stream has still something to take, or has not made the table yet."""
    return history.version < 0 or pin.missing(history.ends) > 0


def refuse_another_topic(pin: PinnedTopic, history: LedgerHistory) -> None:
    """Refuse to compare the table of one topic with another one.

    Raises:
        CannotTell: the table holds a topic of another name, or one that was deleted and created again.
    """
    newest = history.newest
    if newest is None:
        return
    if newest.topic != pin.name:
        raise CannotTell(
            f"the table holds topic {newest.topic!r}, the contract says {pin.name!r}",
            "a contract keeps its topic; name the new one in a new contract",
        )
    if newest.topic_id != pin.topic_id:
        raise CannotTell(
            f"topic {pin.name} is {pin.topic_id} now, but the table holds {newest.topic_id}: it was deleted and "
            "created again, and its offsets mean other records",
            f"`tidemark topic adopt {newest.query.removeprefix('bronze_')}` archives the table and starts a new one",
        )


def _scope(partition: int, bounds: Bounds, history: LedgerHistory) -> Scope:
    if partition not in history.ends:
        return Scope(partition, bounds.low, bounds.low, bounds.last_stable)
    start = min(history.starts[partition], bounds.low)
    end = min(bounds.last_stable, max(history.ends[partition], bounds.low))
    return Scope(partition, start, end, bounds.last_stable)
