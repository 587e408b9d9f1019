"""Judge tables, one after the other: `python -m expectations.gate <layer>.<table>... [--json]`.

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

from great_expectations.compatibility.pyspark import DataFrame, SparkSession
from pyspark.errors import PySparkException
from rich.console import Console

from expectations.project import Project
from expectations.report import Judged, show
from expectations.suites import gated_table
from expectations.suites.checks import SECONDS_OLD
from expectations.suites.declared import declaration_of
from expectations.suites.gated import GatedTable, NoSuchTable
from expectations.validation import validate
from expectations.verdict import judge
from streaming.session import batch_session
from tidemark.contracts import read_contracts
from tidemark.errors import TidemarkError
from tidemark.ledger import Commit, Ledger
from tidemark.names import quoted
from tidemark.private_files import write_private
from tidemark.settings import Settings
from tidemark.table_looks import gate_file

log = logging.getLogger(__name__)

Session = Callable[[], SparkSession]


class CouldNotRun(TidemarkError):
    """There is no verdict: the gate could not run."""


def main() -> None:
    """Judge the tables that the command line names, and exit as the module says."""
    arguments = _parsed(sys.argv[1:])
    _be_quiet()
    try:
        settings = Settings.load()
    except TidemarkError as error:
        sys.exit(_complaint(error, 2))
    with ExitStack() as held:
        session = cache(lambda: _session(settings, held))
        codes = [_judged(settings, name, session, arguments.json) for name in arguments.tables]
    sys.exit(1 if 1 in codes else max(codes))


def gate(settings: Settings, name: str, session: Session) -> Judged:
    """Judge the version of a table that is the latest now.

    Args:
        name: `<layer>.<table>`.
        session: gives the Spark session to judge it by.

    Raises:
        NoSuchTable: there is no such table, or it has no gate.
        CouldNotRun: there is no Spark, or it can't read the table.
    """
    started = time.monotonic()
    layer, _, own_name = name.partition(".")
    table = gated_table(layer, own_name, read_contracts(settings.contracts_dir))
    version = latest_version(settings, table)
    judged = judge_version(session(), settings, table, version)
    return replace(judged, seconds=time.monotonic() - started)


def _judged(settings: Settings, name: str, session: Session, as_json: bool) -> int:
    """Judge one table, show the verdict, and give the exit code for it."""
    try:
        judged = gate(settings, name, session)
    except NoSuchTable as error:
        return _complaint(error, 1)
    except TidemarkError as error:
        return _complaint(error, 2)
    except Exception:
        log.exception("the gate of %s could not run", name)
        return 2
    _keep(settings, judged)
    if as_json:
        print(json.dumps(judged.to_json()), flush=True)
    else:
        show(judged, Console())
    return 1 if judged.verdict.outcome == "fail" else 0


def _keep(settings: Settings, judged: Judged) -> None:
    """Keep the outcome beside the site, for those that only want the last one."""
    file = gate_file(settings, judged.table)
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {"verdict": judged.verdict.outcome, "version": judged.version, "at": datetime.now(UTC).isoformat()}
    write_private(file, json.dumps(kept))


def latest_version(settings: Settings, table: GatedTable) -> Commit:
    """Give the commit that made a table's latest version.

    Raises:
        NoSuchTable: there is none.
    """
    path = settings.table(table.layer, table.name)
    ledger = Ledger(path)
    if not ledger.exists():
        fix = "build it first; `tidemark status` says what runs"
        raise NoSuchTable(f"{table.suite.name}: there is no table at {path}", fix)
    version = ledger.latest_version()
    return next(ledger.commits(version, version))


def judge_version(spark: SparkSession, settings: Settings, table: GatedTable, version: Commit) -> Judged:
    """Judge one version of a table, whatever is committed to it meanwhile."""
    started = time.monotonic()
    rows = _judged_rows(spark, settings.table(table.layer, table.name), version, table)
    validated = validate(Project(settings), table, rows, version.version)
    verdict = judge([declaration_of(expectation) for expectation in table.suite.expectations], validated.results)
    return Judged(table.suite.name, version.version, verdict, validated.report, time.monotonic() - started)


def _session(settings: Settings, held: ExitStack) -> SparkSession:
    try:
        return held.enter_context(batch_session(settings))
    except (PySparkException, OSError, RuntimeError) as error:
        fix = "start the warehouse (`make up`), or install Java for a driver of its own; `tidemark doctor` checks both"
        raise CouldNotRun(f"there is no Spark to run on: {error}", fix) from error


def _judged_rows(spark: SparkSession, path: str, version: Commit, table: GatedTable) -> DataFrame:
    """Read the rows and columns that are judged, at one version, and how old each was when it was committed."""
    stored = spark.read.format("delta").option("versionAsOf", version.version).load(path)
    try:
        present = set(stored.columns)
    except PySparkException as error:
        fix = "run the gate again; if it stays so, `tidemark doctor`"
        raise CouldNotRun(f"{path} can't be read at version {version.version}: {error}", fix) from error
    columns = [quoted(column) for column in table.columns if column in present]
    if table.event_time in present:
        age = f"({version.committed_at} - unix_millis({quoted(table.event_time)})) / 1000.0D"
        columns.append(f"{age} AS {quoted(SECONDS_OLD)}")
    return stored.where(table.where).selectExpr(*columns)


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tidemark gate", description="Judge tables.")
    parser.add_argument("tables", nargs="+", metavar="table", help="<layer>.<table>")
    parser.add_argument("--json", action="store_true", help="print each verdict as a line of JSON")
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
