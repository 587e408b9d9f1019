"""Judge tables, one after the other: `python -m expectations.gate <layer>.<table>... [--json] [--dry-run]`.

Exit 0: every check of severity `fail` is met. 1: one is not, or a table is not there. 2: a gate could not run.
"""

import argparse
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from great_expectations.compatibility.pyspark import SparkSession
from rich.console import Console

from expectations.judging import judge_version
from expectations.pinned import pinned
from expectations.plan import planned
from expectations.reading import opened_session
from expectations.report import Judged, show
from expectations.suites import gated_table
from expectations.suites.gated import GatedTable, NoSuchTable
from tidemark.contracts import read_contracts
from tidemark.errors import TidemarkError
from tidemark.gate_verdicts import keep_verdict
from tidemark.settings import Settings

log = logging.getLogger(__name__)

Session = Callable[[], SparkSession]


def main() -> None:
    """Judge the tables that the command line names, and exit as the module says."""
    arguments = _parsed(sys.argv[1:])
    _be_quiet()
    try:
        settings = Settings.load()
    except TidemarkError as error:
        sys.exit(_complaint(error, 2))
    with ExitStack() as held:
        session = cache(lambda: opened_session(settings, held))
        run = _shown if arguments.dry_run else _judged
        codes = [_attempted(run, settings, name, session, arguments.json) for name in arguments.tables]
    sys.exit(1 if 1 in codes else max(codes))


def gate(settings: Settings, name: str, session: Session) -> Judged:
    """Judge what is settled of a table now.

    Args:
        name: `<layer>.<table>`.
        session: gives the Spark session to judge it by.

    Raises:
        NoSuchTable: there is no such table, or it has no gate.
        CouldNotRun: there is no Spark, or it can't read the table.
    """
    started = time.monotonic()
    table = _table(settings, name)
    pin = pinned(settings, table)
    judged = judge_version(session(), settings, table, pin)
    return replace(judged, seconds=time.monotonic() - started)


def _table(settings: Settings, name: str) -> GatedTable:
    layer, _, own_name = name.partition(".")
    return gated_table(layer, own_name, read_contracts(settings.contracts_dir))


def _attempted(run: Callable[..., int], settings: Settings, name: str, session: Session, as_json: bool) -> int:
    """Run for one table, and give the exit code for what came of it."""
    try:
        return run(settings, name, session, as_json)
    except NoSuchTable as error:
        return _complaint(error, 1)
    except TidemarkError as error:
        return _complaint(error, 2)
    except Exception:
        log.exception("the gate of %s could not run", name)
        return 2


def _judged(settings: Settings, name: str, session: Session, as_json: bool) -> int:
    """Judge one table, keep the verdict and show it."""
    judged = gate(settings, name, session)
    keep_verdict(settings, judged.to_row(datetime.now(UTC)))
    if as_json:
        print(json.dumps(judged.to_json()), flush=True)
    else:
        show(judged, Console())
    return 1 if judged.verdict.outcome == "fail" else 0


def _shown(settings: Settings, name: str, session: Session, as_json: bool) -> int:
    """Show what would be judged of one table, and do nothing."""
    table = _table(settings, name)
    plan = planned(table, pinned(settings, table))
    if as_json:
        print(json.dumps(plan.to_json()), flush=True)
    else:
        plan.show(Console())
    return 0


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tidemark gate", description="Judge tables.")
    parser.add_argument("tables", nargs="+", metavar="table", help="<layer>.<table>")
    parser.add_argument("--json", action="store_true", help="print each verdict as a line of JSON")
    parser.add_argument("--dry-run", action="store_true", help="show what would be judged, and write nothing")
    return parser.parse_args(words)


def _be_quiet() -> None:
    """Leave standard output to the verdict, and standard error to what matters."""
    warnings.simplefilter("ignore")
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)


def _complaint(error: TidemarkError, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
