"""One look at the streams: what each says of itself, what it has taken, and what its topics have beyond that."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from tidemark.contracts import Contract
from tidemark.ledger import Ledger, ends
from tidemark.settings import Settings
from tidemark.supervisor import Process
from tidemark.topics import Bounds, Topics, UnknownTopic

STARTS_WITHIN = timedelta(minutes=3)  # as long as a start may take, nobody knows whether it will be good

_RESTARTS_WITHIN = timedelta(minutes=5)  # restarts are counted over this time, or from one look to the next

Positions = dict[str, dict[int, int]]  # topic: partition: the first offset that was not taken
Ends = Mapping[str, Mapping[int, Bounds]]


@dataclass(frozen=True)
class ProcessLook:
    """The streams' process: `silent` is one that should answer and does not, `stopped` one that nobody wants to run."""

    state: Literal["running", "starting", "silent", "stopped"]
    since: datetime | None  # its start
    silent_since: datetime | None  # the first look at which it did not answer

    def is_settling(self, at: datetime) -> bool:
        """Tell whether it is too young to be judged."""
        return self.state == "starting" or (self.since is not None and at - self.since < STARTS_WITHIN)


@dataclass(frozen=True)
class StreamLook:
    """One stream, as it is now; what ends in `before` is what the next look compares with."""

    name: str
    state: str
    restarts: int
    rows_per_second: float | None
    watermark: datetime | None
    last_commit: datetime | None
    lag: int | None  # offsets; None: it has not begun, so nobody knows what it reads
    waiting_since: datetime | None  # since when there is something to take, and nothing is taken
    restarts_before: int
    restarts_before_at: datetime
    last_error: str = ""
    warning: str = ""
    taken: Positions = field(default_factory=dict)


def process_look(answers: bool, process: Process | None, before: ProcessLook | None, at: datetime) -> ProcessLook:
    """Judge the streams' process by its answer, and by what the supervisor says of it."""
    since = datetime.fromtimestamp(process.since, UTC) if process and process.since else None
    if answers:
        return ProcessLook("running", since, None)
    if process is None or process.state == "STOPPED":
        return ProcessLook("stopped", None, None)
    silent_since = (before and before.silent_since) or at
    # One that ends as soon as it is started is always young: so how long there is no answer counts too.
    young = since is not None and at - since < STARTS_WITHIN and at - silent_since < STARTS_WITHIN
    return ProcessLook("starting" if young and process.pid else "silent", since, silent_since)


def stream_looks(
    settings: Settings,
    contracts: Mapping[str, Contract],
    told: Sequence[Mapping[str, Any]],
    before: Mapping[str, StreamLook],
    at: datetime,
) -> list[StreamLook]:
    """Look at every stream that tells of itself; where none does, at every one that has ever begun.

    Raises:
        TidemarkError: Kafka does not answer.
    """
    bronze = {contract.bronze_query for contract in contracts.values()}
    said = told or [{"name": name, "state": "gone"} for name in sorted({*bronze, *begun_streams(settings)})]
    taken = _taken(settings, contracts, [each["name"] for each in said])
    topics = _ends_of(settings, taken)
    return [_look(settings, each, taken[each["name"]], topics, before.get(each["name"]), at) for each in said]


def lags(settings: Settings, contracts: Mapping[str, Contract], names: Iterable[str]) -> dict[str, int | None]:
    """Count for each stream the offsets that its topics have and it has not committed; None: it has not begun.

    Raises:
        TidemarkError: Kafka does not answer.
    """
    taken = _taken(settings, contracts, names)
    topics = _ends_of(settings, taken)
    return {name: lag_of(positions, topics) for name, positions in taken.items()}


def topic_ends(settings: Settings, names: Iterable[str]) -> Ends:
    """Ask Kafka for the ends of topics; one that is gone is left out."""
    kafka, found = Topics(settings.bootstrap), {}
    for name in sorted(names):
        try:
            found[name] = kafka.bounds(name)
        except UnknownTopic:
            continue
    return found


def checkpoint_positions(checkpoint: Path) -> Positions:
    """Read which offsets a query has taken: those of its newest micro-batch that was committed."""
    newest = _newest_commit(checkpoint)
    try:
        lines = (checkpoint / "offsets" / newest.name).read_text().splitlines()[2:] if newest else []
    except FileNotFoundError:  # Spark removes those of old micro-batches
        return {}
    taken: Positions = {}
    for topic, partitions in (item for line in lines if line.startswith("{") for item in json.loads(line).items()):
        known = taken.setdefault(topic, {})
        for partition, offset in partitions.items():  # of two sources on one topic the slower one counts
            known[int(partition)] = min(offset, known.get(int(partition), offset))
    return taken


def begun_streams(settings: Settings) -> list[str]:
    """Name the streams that have a checkpoint."""
    begun = (path.parent.name for path in settings.checkpoint("*").parent.glob("*/metadata"))
    return [name for name in begun if "." not in name]  # one that was moved aside has a dot


def lag_of(taken: Positions, topics: Ends) -> int | None:
    """Count the offsets that topics have beyond what was taken."""
    known = [topic for topic in taken if topic in topics]
    if not known:
        return None
    return sum(
        max(0, bounds.last_stable - max(taken[topic].get(partition, 0), bounds.low))
        for topic in known
        for partition, bounds in topics[topic].items()
    )


def _look(
    settings: Settings,
    said: Mapping[str, Any],
    taken: Positions,
    topics: Ends,
    before: StreamLook | None,
    at: datetime,
) -> StreamLook:
    lag, restarts = lag_of(taken, topics), int(said.get("restarts", 0))
    counted_from, counted_since = _counted(before, restarts, at)
    committed = _newest_commit(settings.checkpoint(said["name"]))
    waits = before is not None and before.taken == taken and before.waiting_since
    return StreamLook(
        name=said["name"],
        state=said["state"],
        restarts=restarts,
        rows_per_second=said.get("rows_per_second"),
        watermark=_instant(said.get("watermark")),
        last_commit=datetime.fromtimestamp(committed.stat().st_mtime, UTC) if committed else None,
        lag=lag,
        waiting_since=(waits or at) if lag else None,
        restarts_before=counted_from,
        restarts_before_at=counted_since,
        last_error=said.get("last_error", ""),
        warning=said.get("warning", ""),
        taken=taken,
    )


def _counted(before: StreamLook | None, restarts: int, at: datetime) -> tuple[int, datetime]:
    """Say from which number restarts are counted, and since when."""
    if before is None:
        return restarts, at
    if restarts < before.restarts:  # another process
        return 0, at
    if at - before.restarts_before_at < _RESTARTS_WITHIN:
        return before.restarts_before, before.restarts_before_at
    return before.restarts, at


def _taken(settings: Settings, contracts: Mapping[str, Contract], names: Iterable[str]) -> dict[str, Positions]:
    """Give what each stream has taken: of bronze the table's ledger knows, of others the checkpoint."""
    bronze = {contract.bronze_query: contract for contract in contracts.values()}
    return {
        name: _landed(settings, bronze[name]) if name in bronze else checkpoint_positions(settings.checkpoint(name))
        for name in names
    }


def _ends_of(settings: Settings, taken: Mapping[str, Positions]) -> Ends:
    return topic_ends(settings, {topic for positions in taken.values() for topic in positions})


def _landed(settings: Settings, contract: Contract) -> Positions:
    newest = Ledger(settings.table("bronze", contract.id)).newest_ingest()
    return {contract.topic: ends(newest.label.ranges) if newest and newest.label else {}}


def _newest_commit(checkpoint: Path) -> Path | None:
    return max((checkpoint / "commits").glob("[0-9]*"), key=lambda path: int(path.name), default=None)


def _instant(text: str | None) -> datetime | None:
    """Read a time as Spark writes it; its first watermark is the epoch, and means none."""
    found = datetime.fromisoformat(text) if text else None
    return found if found and found.timestamp() > 0 else None
