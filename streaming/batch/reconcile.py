"""Reconcile a day of bronze with Kafka: `python -m streaming.batch.reconcile <contract> --date D`

Compares as the proof does, byte by byte; opens Spark only if there is something to repair. Missing means inside a
committed range of the ledger: what lies beyond is pending, and never inserted.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock

from rich.console import Console
from rich.table import Table

from streaming.batch.jobs import day_lease, dry_run_parser, finish, known_contract, table_or_exit
from streaming.batch.repair import Repair
from tidemark.bronze_records import PinnedBronze
from tidemark.certificates import Certificates, latest_tidemark
from tidemark.compare import BROKEN, Kind, judged
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.findings import Finding, Findings, found
from tidemark.kafka_records import KafkaRecords
from tidemark.ledger import Ledger
from tidemark.ledger_copy import history_of
from tidemark.reconciliations import Difference, Outcome, Reconciliation, record
from tidemark.settings import Settings
from tidemark.spans import Span
from tidemark.strays import Strays, offsets_of
from tidemark.topics import KafkaAway, Topics

_EXTRA = (Kind.TWICE, Kind.ALTERED, Kind.PHANTOM)


@dataclass(frozen=True)
class Comparison:
    """A day compared: what each offset is, and the rows at positions that no record can have."""

    version: int
    findings: Findings
    strays: Sequence[Finding]

    def of(self, *kinds: Kind) -> list[Finding]:
        """Give the findings of some kinds; a stray is a phantom."""
        ranges = [each for kind in kinds for each in self.findings.ranges(kind)]
        return [*ranges, *self.strays] if Kind.PHANTOM in kinds else ranges

    def differences(self) -> Iterator[Difference]:
        """Tell range by range what is not as it should be."""
        for kind in BROKEN:
            for each in self.of(kind):
                at = {"partition": each.partition, "offsets": [each.start, each.end]}
                yield Difference(kind.name.lower(), at, position=f"{each.partition}@{each.start}-{each.end}")

    def count(self, kind: Kind) -> int:
        """Count the offsets of a kind."""
        return self.findings.counts[kind] + (offsets_of(self.strays) if kind == Kind.PHANTOM else 0)

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing is left to repair."""
        return not any(self.count(kind) for kind in BROKEN)


class Day:
    """One day of one contract: the offsets whose Kafka timestamps begin in it, as far as the ledger reaches."""

    def __init__(self, settings: Settings, contract: Contract, path: str, day: date) -> None:
        self._path = path
        self._contract = contract
        self._ledger = Ledger(path)
        self._history = history_of(settings, contract.id)
        self._history.follow()
        newest = self._history.newest
        topics = Topics(settings.bootstrap)
        if newest is None or newest.topic_id != topics.identity(contract.topic):
            raise TidemarkError(
                f"{contract.id}: topic {contract.topic} is not the one that the table holds",
                f"`tidemark topic adopt {contract.id}` if it was recreated; `make stream-up` if nothing was ingested",
            )
        self.topic_id = newest.topic_id
        self._vouchers = Certificates(settings, contract.id, self.topic_id).covering
        tidemark = latest_tidemark(settings, contract.id)
        is_proven = tidemark and tidemark.verdict == "proven" and tidemark.origin.topic_id == self.topic_id
        # A proof has looked at every row of its version: what is new since then is all that can be astray.
        self._proven = tidemark.origin.table_version if tidemark and is_proven else None
        self._kafka = KafkaRecords(settings.bootstrap, contract.topic)
        starts = topics.offsets_at(contract.topic, datetime.combine(day, clock(), UTC))
        ends = topics.offsets_at(contract.topic, datetime.combine(day + timedelta(days=1), clock(), UTC))
        self.spans = [self._span(partition, starts[partition], ends[partition]) for partition in sorted(starts)]

    def compared(self) -> Comparison:
        """Compare the newest version of the table with Kafka."""
        version = self._ledger.latest_version()
        table = PinnedBronze(self._path, version, self._contract.topic)
        self._history.follow()  # before the look: what was retired meanwhile is not lost
        findings = found(judged(self._kafka, table, self.spans, self._vouchers, retired=self._history.retired))
        self._history.follow()
        history = self._history
        known = [Span(partition, start, history.ends[partition]) for partition, start in history.starts.items()]
        strays = Strays(self._contract.topic, self.spans, known)
        for rows in table.positions(self._proven):
            strays.add(rows)
        return Comparison(version, findings, strays.findings())

    def _span(self, partition: int, start: int, end: int) -> Span:
        start = max(start, self._history.starts.get(partition, 0))
        return Span(partition, start, max(start, min(end, self._history.ends.get(partition, 0))))


def main() -> int:
    """Compare, repair what may be repaired, compare again."""
    arguments = _arguments()
    settings = Settings.load()
    contract = known_contract(settings, arguments.contract)
    path = table_or_exit(settings, contract)
    began = time.monotonic()
    with day_lease(settings, contract, arguments.date, "reconcile") as lease:
        try:
            day = Day(settings, contract, path, arguments.date)
            before = after = day.compared()
            if not arguments.dry_run:
                repair = Repair(settings, contract, day.topic_id, lease)
                after = repaired(repair, day, before, arguments.remove_extra)
        except KafkaAway as away:
            print(f"can't tell: {away}")
            return 2
    if not arguments.dry_run:
        entry = _entry(contract, arguments.date, before, after, time.monotonic() - began)
        record(settings, entry, before.differences())
    _report(contract.id, arguments, before, after)
    return 0 if after.is_clean else 1


def repaired(opened: Repair, day: Day, before: Comparison, remove_extra: bool) -> Comparison:
    """Repair what was found, and compare again after each step."""
    state = before
    if before.is_clean or not (remove_extra or before.count(Kind.LOST)):
        return state
    with opened as repair:
        steps: list[tuple[bool, Callable[[], list[Finding]], Callable[[list[Finding]], None]]] = [
            (remove_extra, lambda: state.of(*_EXTRA), repair.remove),
            (True, lambda: state.of(Kind.LOST), repair.append),
        ]
        for wanted, bad, act in steps:
            ranges = bad() if wanted else []
            if ranges:
                act(ranges)
                state = day.compared()
    return state


def _entry(contract: Contract, day: date, before: Comparison, after: Comparison, seconds: float) -> Reconciliation:
    different = before.count(Kind.TWICE) + before.count(Kind.ALTERED)
    repaired = sum(before.count(kind) - after.count(kind) for kind in BROKEN)
    counts = (before.count(Kind.LANDED_ONCE), before.count(Kind.LOST), before.count(Kind.PHANTOM), different, None)
    outcome: Outcome = "done" if after.is_clean else "left"
    return Reconciliation("transport", contract.id, day, outcome, *counts, repaired, after.version, seconds)


def _report(contract: str, arguments: argparse.Namespace, before: Comparison, after: Comparison) -> None:
    kinds = [kind for kind in Kind if kind != Kind.PENDING]
    if arguments.json:
        result = {
            "contract": contract,
            "date": str(arguments.date),
            "table_version": before.version,
            "found": {kind.name.lower(): before.count(kind) for kind in kinds},
            "left": {kind.name.lower(): after.count(kind) for kind in BROKEN},
            "repaired": sum(before.count(kind) - after.count(kind) for kind in BROKEN),
            "dry_run": arguments.dry_run,
        }
        print(json.dumps(result))
        return
    table = Table("offsets", "found", "left", title=f"reconcile bronze.{contract} {arguments.date}")
    for kind in kinds:
        if kind in BROKEN or before.count(kind):
            left = f"{after.count(kind):,}" if kind in BROKEN else ""
            table.add_row(kind.name.lower().replace("_", " "), f"{before.count(kind):,}", left)
    Console().print(table)
    if not after.is_clean:
        extra = any(after.count(kind) for kind in _EXTRA)
        print("not repaired; --remove-extra removes doubles, phantoms and altered rows" if extra else "not repaired")


def _arguments() -> argparse.Namespace:
    words = dry_run_parser("reconcile", __doc__)
    words.add_argument("--date", type=date.fromisoformat, required=True)
    words.add_argument("--remove-extra", action="store_true")
    return words.parse_args()


if __name__ == "__main__":
    finish(main)
