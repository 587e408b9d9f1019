"""Prove that every offset of a topic is in bronze exactly once, byte for byte, or say which are not."""

import time
import uuid
from datetime import UTC, datetime, timedelta

from tidemark.bronze_records import PinnedBronze
from tidemark.certificates import Certificates, Origin, PartitionMark, Tidemark, write_certificates, write_tidemark
from tidemark.compare import judged
from tidemark.contracts import Contract
from tidemark.findings import Findings, Mark, found
from tidemark.kafka_records import KafkaRecords
from tidemark.ledger_copy import history_of
from tidemark.ledger_history import LedgerHistory
from tidemark.pins import CannotTell, PinnedTopic, Progress, Scope, follow_until_taken, pinned, silent
from tidemark.proof import Proof, counted, verdict_of
from tidemark.settings import Settings
from tidemark.spans import Span
from tidemark.strays import Strays
from tidemark.topics import Topics

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def prove(settings: Settings, contract: Contract, wait_seconds: float = 60.0, progress: Progress = silent) -> Proof:
    """Compare a topic with its bronze table; leave certificates and a tidemark.

    Args:
        wait_seconds: how long the stream may take to reach Kafka's last stable offsets.

    Raises:
        TidemarkError: Kafka or the table can't be read, or they are not of one topic.
    """
    began = time.monotonic()
    topics = Topics(settings.bootstrap)
    pin = pinned(topics, contract.topic)
    history = history_of(settings, contract.id)
    follow_until_taken(history, pin, wait_seconds, progress)
    comparison = _Comparison(settings, contract, pin, history)
    if history.version >= 0:
        comparison.run(topics, progress)
    proof = comparison.proof(time.monotonic() - began)
    if proof.has_table:
        write_certificates(settings, proof.tidemark.origin, proof.compared.buckets)
        write_tidemark(settings, proof.tidemark)
    return proof


class _Comparison:
    """One comparison of a pinned topic with a pinned version of its table."""

    def __init__(self, settings: Settings, contract: Contract, pin: PinnedTopic, history: LedgerHistory) -> None:
        self._settings = settings
        self._contract = contract
        self._pin = pin
        self._history = history
        self._scopes = pin.scopes(history)
        self._compared = Findings()
        self._strays = Strays(contract.topic, [], [])

    def run(self, topics: Topics, progress: Progress) -> None:
        """Read both sides.

        Raises:
            CannotTell: the topic was recreated meanwhile, or the table's statistics hide rows.
        """
        self._strays = Strays(self._contract.topic, [scope.span for scope in self._scopes], self._allowed(topics))
        path = self._settings.table("bronze", self._contract.id)
        table = PinnedBronze(path, self._history.version, self._contract.topic)
        self._compare(table, progress)
        for rows in table.positions():
            self._strays.add(rows)
        if table.given != self._strays.inside:
            raise CannotTell(
                f"{path}: has {self._strays.inside} rows in scope, but its files' statistics lead to {table.given}",
                "a writer made wrong statistics: rewrite the files",
            )
        if topics.identity(self._contract.topic) != self._pin.topic_id:
            raise CannotTell(f"topic {self._contract.topic} was deleted or created again while it was read")

    def proof(self, seconds: float) -> Proof:
        """Say what was found."""
        strays = self._strays.findings()
        counts = counted(self._compared, strays, self._scopes)
        contract, pin = self._contract, self._pin
        own = (contract.id, contract.topic, pin.topic_id, self._history.version)
        origin = Origin(str(uuid.uuid4()), *own, datetime.now(UTC))
        tidemark = Tidemark(
            origin, verdict_of(counts, has_table=self._history.version >= 0), tuple(map(self._mark, self._scopes))
        )
        notes = self._history.notes(has_gaps=self._compared.has_gaps)
        return Proof(tidemark, self._scopes, self._compared, strays, self._strays.quarantined, notes, seconds)

    def _compare(self, table: PinnedBronze, progress: Progress) -> None:
        kafka = KafkaRecords(self._settings.bootstrap, self._contract.topic)
        certificates = Certificates(self._settings, self._contract.id, self._pin.topic_id)
        spans = [scope.span for scope in self._scopes]
        done = 0
        with progress("reading Kafka and bronze", 2 * sum(map(len, spans))) as show:

            def tick(rows: int) -> None:
                nonlocal done
                done += rows
                show(done)

            pieces = judged(kafka, table, spans, certificates.covering, tick, self._history.retired)
            self._compared = found(pieces)

    def _allowed(self, topics: Topics) -> list[Span]:
        """Give where rows may be: as far as the ledger reaches, and Kafka now that the table is pinned."""
        now = topics.bounds(self._contract.topic)
        ends = self._history.ends
        return [
            Span(scope.partition, scope.start, min(ends[scope.partition], now[scope.partition].last_stable))
            for scope in self._scopes
            if scope.partition in ends and scope.partition in now
        ]

    def _mark(self, scope: Scope) -> PartitionMark:
        mark = self._compared.marks.get(scope.partition, Mark(scope.start))
        if self._pin.is_complete(scope.partition, mark.offset):
            return PartitionMark(scope.partition, mark.offset, self._pin.at)
        return PartitionMark(scope.partition, mark.offset, _instant(mark.time))


def _instant(microseconds: int | None) -> datetime | None:
    try:
        return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:  # a producer may set any time; beyond the calendar it says nothing
        return None
