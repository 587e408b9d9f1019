"""Do what is due for a bronze table: `python -m streaming.batch.maintain <contract> [--max-bytes N] [--json]`

Every run compacts and copies new entries of the ledger. Once a day, days whose time is up are retired, files that
nobody needs are vacuumed, and log files that were copied are cleaned. A second run at once does nothing.
"""

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from streaming.batch.compact import MOST_BYTES, compacted
from streaming.batch.jobs import finish, known_contract, parser, table_or_exit, upkeep_lock
from streaming.batch.retire import retired
from streaming.batch.vacuum import guard, vacuumed
from tidemark.contracts import Contract
from tidemark.ledger_cleaning import clean_log
from tidemark.ledger_copy import copy_ledger
from tidemark.maintenance import Run, last_done, recorded
from tidemark.settings import Settings

_DAILY = timedelta(hours=23)  # a run of half an hour later is of the next day


def main() -> None:
    """Do what is due."""
    arguments = _arguments()
    settings = Settings.load()
    contract = known_contract(settings, arguments.contract)
    path = table_or_exit(settings, contract)
    with upkeep_lock(settings, contract), recorded(settings, contract.id) as run:
        compaction = compacted(settings, path, most_bytes=arguments.max_bytes)
        if compaction.days:
            run.done["compact"] = compaction.as_json()
        now = datetime.now(UTC)
        before = daily(settings, contract, run, now)
        copied = copy_ledger(settings, contract.id)
        if copied:
            run.done["ledger"] = {"commits": copied}
        cleaned = clean_log(settings, contract.id, before) if before else 0
        if cleaned:
            run.done["clean"] = {"log_files": cleaned}
    _report(run, arguments.json)


def daily(settings: Settings, contract: Contract, run: Run, now: datetime) -> datetime | None:
    """Retire and vacuum, unless it was done today; give the time before which no log is needed any more."""
    last = last_done(settings, contract.id, "vacuum")
    if last is not None and now - last < _DAILY:
        return None
    retirement = retired(settings, contract, now.date())
    if retirement.days or retirement.refused:
        run.done["retire"] = retirement.as_json()
    left = guard(settings, contract, now)
    run.done["vacuum"] = asdict(vacuumed(settings, contract, left))
    return left.log_needed_since(now)


def _report(run: Run, as_json: bool) -> None:
    if as_json:
        sizes = {"before": asdict(run.before), "after": asdict(run.after)}
        own = {"contract": run.contract, "run_id": run.run_id, "done": run.done, "took_ms": run.took_ms}
        print(json.dumps({**own, **sizes}, default=str))
        return
    if not run.done:
        print(f"{run.contract}: nothing is due")
        return
    table = Table("step", "what it did", title=f"upkeep of bronze.{run.contract}")
    for step, what in run.done.items():
        table.add_row(step, ", ".join(f"{name} {_short(value)}" for name, value in what.items()))
    Console().print(table)


def _short(value: Any) -> str:
    return str(len(value)) if isinstance(value, list | dict) else str(value)


def _arguments() -> argparse.Namespace:
    words = parser("maintain", __doc__)
    words.add_argument("--max-bytes", type=int, default=MOST_BYTES)
    return words.parse_args()


if __name__ == "__main__":
    finish(main)
