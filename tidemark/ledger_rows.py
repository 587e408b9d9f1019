"""How many rows of Kafka's a bronze table should hold at a version, by its ledger alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tidemark.ledger import Commit, Ledger, count
from tidemark.ledger_copy import copied_commits
from tidemark.settings import Settings


@dataclass(frozen=True)
class LedgerRows:
    """Bounds: an ingest holds at most a row an offset, and no fewer than Delta counted in it."""

    least: int
    most: int


def ledger_rows(settings: Settings, contract: str, version: int) -> LedgerRows | None:
    """Add up the ledger of a contract's bronze table; None: some of its commits are not known any more."""
    ledger = Ledger(settings.table("bronze", contract))
    first = ledger.first_version()
    copied = copied_commits(settings, contract, 0, first) if first else ()
    return added_up(_joined(copied, ledger.commits(first, version)), version)


def added_up(commits: Iterable[Commit], version: int) -> LedgerRows | None:
    """Add up commits from version 0 to one; None where one is missing."""
    least = most = 0
    expected = 0
    for commit in commits:
        if commit.version != expected:
            return None
        expected += 1
        if commit.ingests:
            offsets = count(commit.ingests.ranges)
            least += offsets if commit.rows is None else min(commit.rows, offsets)
            most += offsets
        if commit.retires:
            gone = sum(end - start for spans in commit.retires.retired.values() for start, end in spans)
            least, most = least - gone, most - gone
    return LedgerRows(least, most) if expected == version + 1 else None


def _joined(copied: Iterable[Commit], kept: Iterable[Commit]) -> Iterator[Commit]:
    yield from copied
    yield from kept
