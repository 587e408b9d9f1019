"""Look at a lake that has come from elsewhere, or has lost its home, and say of each table how its stream goes on.

A stream that has no checkpoint, or one that does not continue its table's ledger, makes one that begins where the
ledger ends: so nothing has to be adopted by hand, unless Kafka itself is another.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from deltalake import DeltaTable

from tidemark.contracts import Contract
from tidemark.ledger import Ledger
from tidemark.ledger_copy import history_of
from tidemark.ledger_history import LedgerHistory
from tidemark.settings import Settings
from tidemark.stream_looks import checkpoint_positions
from tidemark.topics import Bounds, Topics, UnknownTopic

State = Literal["ok", "anew", "bad"]

_COPY_AGAIN = "copy this table again, its `_delta_log` before its data, with nothing that vacuums it meanwhile"


@dataclass(frozen=True)
class Found:
    """What was found of one thing: ok, made anew by itself, or bad, with what to do."""

    name: str
    state: State
    what: str
    fix: str = ""


def looked_over(settings: Settings, contracts: Mapping[str, Contract]) -> Iterator[Found]:
    """Look at every table of the lake, and at how each contract's stream goes on.

    Raises:
        KafkaAway: no broker answers.
    """
    topics = Topics(settings.bootstrap)
    for contract in contracts.values():
        yield from _stream(settings, contract, topics)
    for log in sorted(Path(settings.lake_root).glob("*/*/_delta_log")):
        name, missing = f"{log.parts[-3]}.{log.parts[-2]}", missing_files(str(log.parent))
        if missing:
            yield Found(name, "bad", f"{len(missing):,} of its files are not there, such as {missing[0]}", _COPY_AGAIN)


def missing_files(table: str) -> list[str]:
    """List the files that a table's newest version has, and the folder lacks."""
    paths = (unquote(urlsplit(uri).path) for uri in DeltaTable(table).file_uris())
    return [path for path in paths if not Path(path).exists()]


def _stream(settings: Settings, contract: Contract, topics: Topics) -> Iterator[Found]:
    name = contract.bronze_query
    if not Ledger(settings.table("bronze", contract.id)).exists():
        yield Found(name, "anew", f"there is no table: it begins where topic {contract.topic} does")
        return
    history = history_of(settings, contract.id)
    history.follow()
    problems = [*_ledger_problems(contract, history), *_topic_problems(contract, history, topics)]
    yield from problems
    if not problems:
        yield Found(name, *checkpoint_state(settings, contract, history.ends))


def checkpoint_state(settings: Settings, contract: Contract, ends: Mapping[int, int]) -> tuple[State, str]:
    """Say how a stream goes on: with its checkpoint, or with a new one where its table's ledger ends."""
    place = settings.checkpoint(contract.bronze_query)
    at = ", ".join(f"{partition}@{offset}" for partition, offset in sorted(ends.items())) or "its beginning"
    if not (place / "metadata").exists():
        return "anew", f"its checkpoint is lost: it makes one that begins where the ledger ends, {at}"
    if checkpoint_positions(place).get(contract.topic, {}) != dict(ends):
        return "anew", f"its checkpoint is not at the ledger's end, {at}: it goes on there, if need be with a new one"
    return "ok", f"ledger and checkpoint agree: it goes on at {at}"


def _ledger_problems(contract: Contract, history: LedgerHistory) -> Iterator[Found]:
    for note in history.notes(has_gaps=True):
        yield Found(contract.bronze_query, "bad", note, f"tidemark prove {contract.id}")


def _topic_problems(contract: Contract, history: LedgerHistory, topics: Topics) -> Iterator[Found]:
    name, topic = contract.bronze_query, contract.topic
    try:
        identity, bounds = topics.identity(topic), topics.bounds(topic)
    except UnknownTopic:
        identity, bounds = None, {}
    if history.newest and identity != history.newest.topic_id:
        what = f"topic {topic} is {identity or 'gone'}, and the table holds {history.newest.topic_id}"
        yield Found(name, "bad", what, f"the Kafka of this lake, or: tidemark topic adopt {contract.id}")
        return
    for partition, end in sorted(history.ends.items()):
        problem = _end_problem(end, bounds.get(partition))
        if problem:
            fix = "records that Kafka has expired come back by `tidemark backfill` from an export or archive"
            yield Found(name, "bad", f"{topic}/{partition}: {problem}", fix)


def _end_problem(end: int, bounds: Bounds | None) -> str:
    if bounds is None:
        return "Kafka has no such partition, and the ledger has"
    if end < bounds.low:
        return f"the ledger ends at {end}, and Kafka has expired what is below {bounds.low}"
    return f"the ledger ends at {end}, and the topic at {bounds.high}" if end > bounds.high else ""
