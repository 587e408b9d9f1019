"""Where a backfill takes a day from: Kafka, the exports of the operational system, or an archive."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import Protocol, Self

from pyspark.sql import DataFrame, SparkSession

from streaming.batch.fenced import FencedTable
from streaming.batch.reconcile import Day, repaired
from streaming.batch.repair import Repair
from streaming.batch.source_day import SourceDays
from streaming.transforms.exports import DIFFERENT, EXTRA, MISSING
from tidemark.compare import Kind
from tidemark.contracts import Contract
from tidemark.exports import ExportFile, of_archive, of_day
from tidemark.leases import Lease
from tidemark.ledger import Label, Ledger
from tidemark.reconciliations import Difference, Level
from tidemark.settings import Settings

Session = Callable[[], SparkSession]


@dataclass(frozen=True)
class Found:
    """A day compared, whatever with; `there` are bronze's rows of it, `repairable` what would be appended."""

    day: date
    there: int
    missing: int
    different: int
    extra: int | None  # None: it can't be told, since the other side is no whole day
    rejected: int
    repairable: int
    version: int
    differences: Callable[[], Iterator[Difference]]
    repair: Callable[[Lease], None]  # appends what is missing or different, and what is rejected to the quarantine

    @property
    def share(self) -> float:
        """The share of the day's rows, as they would be, that a repair changes."""
        total = self.there + self.missing
        return self.repairable / total if total else 0.0


class Source(Protocol):
    """One contract's side of a backfill."""

    level: Level

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def found(self, day: date) -> Found | None:
        """Compare a day with bronze; None: this source has nothing of that day."""


class KafkaSource:
    """The topic itself, as far as Kafka still has it: what reconcile does, for a range of days."""

    level: Level = "transport"

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self._settings, self._contract = settings, contract
        self._path = settings.table("bronze", contract.id)
        self._days: dict[date, Day] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._days.clear()

    def found(self, day: date) -> Found:
        """Compare a day of Kafka's timestamps, byte by byte."""
        if day not in self._days:
            self._days[day] = Day(self._settings, self._contract, self._path, day)
        opened = self._days[day]
        compared = opened.compared()

        def repair(lease: Lease) -> None:
            repaired(Repair(self._settings, self._contract, opened.topic_id, lease), opened, compared, False)

        lost, different = compared.count(Kind.LOST), compared.count(Kind.TWICE) + compared.count(Kind.ALTERED)
        there = compared.count(Kind.LANDED_ONCE) + different
        counts = (there, lost, different, compared.count(Kind.PHANTOM), 0, lost)
        return Found(day, *counts, compared.version, compared.differences, repair)


class FileSource:
    """Files: an export for each day, or an archive of many."""

    level: Level = "source"

    def __init__(self, settings: Settings, contract: Contract, session: Session, first: date) -> None:
        self._settings, self._contract, self._session, self._first = settings, contract, session, first
        self._path = settings.table("bronze", contract.id)
        self._archive: list[ExportFile] | None = None
        self._opened: dict[date, SourceDays] = {}
        self._held = ExitStack()

    def with_archive(self, place: str) -> Self:
        """Take all days from an archive instead of their exports."""
        self._archive = of_archive(self._settings, self._contract, place)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._opened.clear()
        self._held.close()

    def found(self, day: date) -> Found | None:
        """Compare a day by the contract's key; an archive's rejected rows count to the first day."""
        rows = self._rows(day)
        if rows is None:
            return None
        found = rows.compare(day)
        counts: Counter[str] = found.counts
        there = sum(counts.values()) - counts[MISSING]
        extra = counts[EXTRA] if self._archive is None else None
        repairable = counts[MISSING] + counts[DIFFERENT]
        return Found(
            *(day, there, counts[MISSING], counts[DIFFERENT], extra, found.rejected, repairable, found.version),
            differences=lambda: rows.differences(found),
            repair=lambda lease: self._append(rows.missing_or_different(found), lease),
        )

    def _append(self, rows: DataFrame, lease: Lease) -> None:
        newest = Ledger(self._path).newest_ingest()
        topic_id = newest.label.topic_id if newest and newest.label else ""
        label = Label("backfill", "backfill", 0, lease.run, self._contract.topic, topic_id, {}, self._contract.version)
        FencedTable(self._settings, self._contract, lease).append(rows, label)

    def _rows(self, day: date) -> SourceDays | None:
        filed_under = day if self._archive is None else None
        key = filed_under or self._first
        if key not in self._opened:
            files = of_day(self._settings, self._contract, day) if self._archive is None else self._archive
            if not files:
                return None
            days = SourceDays(self._settings, self._contract, self._session(), files, filed_under, key)
            self._opened[key] = self._held.enter_context(days)
        return self._opened[key]
