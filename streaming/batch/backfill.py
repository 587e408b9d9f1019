"""Fill days of bronze from a source: `python -m streaming.batch.backfill plan|apply|diff <contract>... --from D --to D`

`plan` says what would change, `diff` row by row, `apply` does it: only rows are appended, under the day's lease, in one
commit a day. Where more of a day's rows would change than TIDEMARK_APPROVAL_SHARE, `apply` wants to be told how many
rows a person has approved.

Exit 0: nothing is left to do. 1: something is left. 2: can't tell. 3: a person must approve first.
"""

import argparse
import time
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import islice

from rich.console import Console

from streaming.batch.backfill_report import DayReport, show
from streaming.batch.backfill_sources import FileSource, Found, KafkaSource, Session, Source
from streaming.batch.jobs import day_lease, finish, known_contract, table_or_exit
from streaming.session import batch_session
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.reconciliations import Outcome, Reconciliation, record
from tidemark.settings import Settings
from tidemark.topics import KafkaAway

_SHOWN = 100  # differences of a day


def main() -> int:
    """Plan, apply or show each contract's days, and report."""
    arguments = _arguments()
    settings = Settings.load()
    days = _days(arguments.first, arguments.last)
    reports: list[DayReport] = []
    with ExitStack() as held:
        session = cache(lambda: held.enter_context(batch_session(settings)))  # opened where there is anything to read
        for name in arguments.contracts:
            contract = known_contract(settings, name)
            table_or_exit(settings, contract)
            with _source(settings, contract, session, arguments) as source:
                for day in days:
                    reports.append(_done(settings, contract, source, day, arguments))
                    Console(stderr=True).print(reports[-1].line, highlight=False, soft_wrap=True)
    show(reports, arguments.action, arguments.json)
    return max((report.exit_code for report in reports), default=0)


def _done(
    settings: Settings, contract: Contract, source: Source, day: date, arguments: argparse.Namespace
) -> DayReport:
    """Do with one day what was asked for."""
    try:
        if arguments.action != "apply":
            began = time.monotonic()
            found = source.found(day)
            seconds = time.monotonic() - began
            rows = list(islice(found.differences(), _SHOWN)) if found and arguments.action == "diff" else []
            return DayReport.planned(contract, source.level, day, found, settings.approval_share, seconds, rows)
        return _applied(settings, contract, source, day, arguments.approved)
    except KafkaAway as away:
        return DayReport.unknown(contract, source.level, day, str(away))


def _applied(settings: Settings, contract: Contract, source: Source, day: date, approved: int) -> DayReport:
    began = time.monotonic()
    with day_lease(settings, contract, day, "backfill") as lease:
        found = source.found(day)
        if found is None:
            return DayReport.planned(contract, source.level, day, None, settings.approval_share)
        left, outcome = found, _outcome(found, settings.approval_share, approved)
        if outcome == "done" and (found.repairable or found.rejected):
            found.repair(lease)
            left = source.found(day) or found
    repaired = found.repairable - left.repairable
    if outcome == "done" and (left.repairable or left.rejected):
        outcome = "left"
    counts = (found.there, found.missing, found.extra or 0, found.different, found.rejected, repaired)
    subject = (source.level, contract.id, day, outcome)
    entry = Reconciliation(*subject, *counts, left.version, time.monotonic() - began)
    record(settings, entry, found.differences())
    return DayReport.applied(contract, source.level, day, found, repaired, outcome, settings.approval_share)


def _outcome(found: Found, limit: float, approved: int) -> Outcome:
    return "refused" if found.share > limit and found.repairable > approved else "done"


def _source(settings: Settings, contract: Contract, session: Session, arguments: argparse.Namespace) -> Source:
    if arguments.source == "kafka":
        return KafkaSource(settings, contract)
    files = FileSource(settings, contract, session, arguments.first)
    return files.with_archive(arguments.path) if arguments.source == "archive" else files


def _days(first: date, last: date) -> list[date]:
    today = datetime.now(UTC).date()
    if last < first:
        raise TidemarkError(f"--to: found {last}, before --from {first}", "name the first day first")
    if last > today:
        raise TidemarkError(f"--to: found {last}; allowed is at most today, {today} UTC", "name days that have begun")
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tidemark backfill", description=__doc__)
    parser.add_argument("action", choices=("plan", "apply", "diff"))
    parser.add_argument("contracts", nargs="+", metavar="contract")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True)
    parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True)
    parser.add_argument("--source", choices=("kafka", "exports", "archive"), default="exports")
    parser.add_argument("--path", default=".")
    parser.add_argument("--approved", type=int, default=0, metavar="ROWS")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    finish(main)
