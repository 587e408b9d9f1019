"""Judge quarantined rows again, in place: `python -m streaming.batch.replay <contract> [--reason R] [--dry-run]`

Each row stays where it is, under its source position; what the contract of today lets pass gets its columns and loses
its reasons. One commit a day of ingest. A second run finds nothing to change.
"""

import argparse
import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from streaming.batch.fenced import FencedTable
from streaming.batch.jobs import day_lease, dry_run_parser, finish, known_contract, table_or_exit
from streaming.batch.scratch import scratch
from streaming.session import batch_session
from streaming.transforms.exports import is_exported
from streaming.transforms.json_records import JsonRecords
from streaming.transforms.rejudged import (
    REASONS_BEFORE,
    as_records,
    held_back,
    is_judged_otherwise,
    rejudged,
)
from streaming.writer_lookup import decoder_for
from tidemark import bronze, ops_tables
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.ledger import Label, Ledger
from tidemark.settings import Settings


@dataclass(frozen=True)
class DayReplayed:
    """What judging again found on one day of ingest."""

    day: date
    rows: int  # that were judged
    released: int
    otherwise: int  # still held back, for other reasons
    by_reason: dict[str, int]  # rows released, by each reason that they had


class Replay:
    """One run: a contract's table, and which of its quarantined rows are judged."""

    def __init__(self, settings: Settings, contract: Contract, spark: SparkSession, reason: str) -> None:
        self.path = table_or_exit(settings, contract)
        self._settings, self._contract, self._spark, self._reason = settings, contract, spark, reason
        self.id = str(uuid.uuid4())
        self.at = datetime.now(UTC)

    def days(self) -> list[date]:
        """List the days that have such rows, the oldest first."""
        return sorted(row[0] for row in self._held_back().select(bronze.INGEST_DATE).distinct().collect())

    def plan(self, day: date) -> DayReplayed:
        """Judge a day's rows, and change nothing.

        Raises:
            TidemarkError: a source position stands twice, so that it is not known which row is which.
        """
        return self._told(day, self._judged(day))

    def apply(self, day: date, batch: int) -> DayReplayed:
        """Judge a day's rows and write those that are judged otherwise than before.

        Raises:
            TidemarkError: as for a plan; nothing was written.
        """
        with day_lease(self._settings, self._contract, day, "replay") as lease, scratch(self._settings) as folder:
            self._judged(day).write.parquet(str(folder / "judged"))  # once: it is read three times
            judged = self._spark.read.parquet(str(folder / "judged"))
            plan = self._told(day, judged)
            if plan.released or plan.otherwise:
                changed = judged.where(is_judged_otherwise())
                label = self._label(batch, changed)
                FencedTable(self._settings, self._contract, lease).update(changed.drop(REASONS_BEFORE), day, label)
        ops_tables.append(self._settings, ops_tables.REPLAYS, [self._entry(plan)])
        return plan

    def _told(self, day: date, judged: DataFrame) -> DayReplayed:
        outcome = F.when(F.size(bronze.ERRORS) == 0, "released").otherwise(
            F.when(is_judged_otherwise(), "otherwise").otherwise("same")
        )
        groups = judged.groupBy(outcome.alias("outcome"), REASONS_BEFORE)
        found = groups.agg(F.count("*").alias("rows"), F.count_distinct(*bronze.POSITION).alias("positions")).collect()
        if any(row["rows"] != row["positions"] for row in found):
            fix = f"tidemark reconcile {self._contract.id} --date {day} --remove-extra"
            raise TidemarkError(f"{self._contract.id}: some source positions of {day} stand twice in the table", fix)
        counts, reasons = Counter[str](), Counter[str]()
        for row in found:
            counts[row["outcome"]] += row["rows"]
            if row["outcome"] == "released":
                reasons.update(dict.fromkeys(row[REASONS_BEFORE], row["rows"]))
        total = sum(counts.values())
        return DayReplayed(day, total, counts["released"], counts["otherwise"], dict(reasons.most_common()))

    def _held_back(self) -> DataFrame:
        return held_back(self._spark.read.format("delta").load(self.path), self._reason)

    def _judged(self, day: date) -> DataFrame:
        rows = self._held_back().where(F.col(bronze.INGEST_DATE) == F.lit(day))
        from_topic, exported = rows.where(~is_exported()), rows.where(is_exported())
        decoder = decoder_for(as_records(from_topic), self._contract, self._settings)
        limit = self._settings.future_limit_minutes
        judged = rejudged(from_topic, self._contract, decoder, self.at, limit)
        judged = judged.unionByName(rejudged(exported, self._contract, JsonRecords(), self.at, limit))
        return judged.select(*[name for name in judged.columns if name in {*rows.columns, REASONS_BEFORE}])

    def _label(self, batch: int, changed: DataFrame) -> Label:
        from_topic = changed.where(F.col(bronze.TOPIC) == self._contract.topic)
        spans = from_topic.groupBy(bronze.PARTITION).agg(F.min(bronze.OFFSET), F.max(bronze.OFFSET)).collect()
        ranges = {int(row[0]): (int(row[1]), int(row[2]) + 1) for row in spans}
        newest = Ledger(self.path).newest_ingest()
        topic_id = newest.label.topic_id if newest and newest.label else ""
        own = (self._contract.topic, topic_id, ranges, self._contract.version)
        return Label("replay", "replay", batch, self.id, *own)

    def _entry(self, plan: DayReplayed) -> dict[str, object]:
        return {
            "replay_id": self.id,
            "contract": self._contract.id,
            "replayed_at": datetime.now(UTC),
            "ingest_date": plan.day,
            "reason": self._reason,
            "contract_version": self._contract.version,
            "table_version": Ledger(self.path).latest_version(),
            "rows": plan.rows,
            "released": plan.released,
            "otherwise": plan.otherwise,
        }


def main() -> None:
    """Judge each day's rows; unless it is a dry run, write what is judged otherwise."""
    arguments = _arguments()
    settings = Settings.load()
    contract = known_contract(settings, arguments.contract)
    table_or_exit(settings, contract)
    with batch_session(settings) as spark:
        replay = Replay(settings, contract, spark, arguments.reason)
        done = []
        for batch, day in enumerate(replay.days()):
            done.append(replay.plan(day) if arguments.dry_run else replay.apply(day, batch))
            Console(stderr=True).print(f"{day}: {done[-1].rows:,} judged, {done[-1].released:,} released")
    _report(contract.id, done, arguments)


def _report(contract: str, done: Sequence[DayReplayed], arguments: argparse.Namespace) -> None:
    if arguments.json:
        days = [asdict(each) for each in done]
        print(json.dumps({"contract": contract, "dry_run": arguments.dry_run, "days": days}, default=str))
        return
    what = "would be released" if arguments.dry_run else "released"
    table = Table("day of ingest", "judged", what, "held for other reasons", title=f"replay of {contract}'s quarantine")
    for each in done:
        table.add_row(str(each.day), f"{each.rows:,}", f"{each.released:,}", f"{each.otherwise:,}")
    console = Console()
    console.print(table)
    reasons = sum((Counter(each.by_reason) for each in done), Counter[str]())
    for reason, rows in reasons.most_common():
        console.print(f"  {reason}: {rows:,} {what}", highlight=False)


def _arguments() -> argparse.Namespace:
    words = dry_run_parser("replay", __doc__)
    words.add_argument("--reason", default="")
    return words.parse_args()


if __name__ == "__main__":
    finish(main)
