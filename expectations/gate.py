"""Judge one table: `python -m expectations.gate <layer>.<table> [--json]`.

Exit 0: every check of severity `fail` is met. 1: one is not, or the table is not there. 2: the gate could not run.
"""

import argparse
import json
import logging
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

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
from tidemark.settings import Settings

log = logging.getLogger(__name__)


class CouldNotRun(TidemarkError):
    """There is no verdict: the gate could not run."""


def main() -> None:
    """Judge the table that the command line names, and exit as the module says."""
    arguments = _parsed(sys.argv[1:])
    _be_quiet()
    try:
        judged = gate(Settings.load(), arguments.table)
    except NoSuchTable as error:
        sys.exit(_complaint(error, 1))
    except TidemarkError as error:
        sys.exit(_complaint(error, 2))
    except Exception:
        log.exception("the gate of %s could not run", arguments.table)
        sys.exit(2)
    if arguments.json:
        print(json.dumps(judged.to_json()))
    else:
        show(judged, Console())
    sys.exit(1 if judged.verdict.outcome == "fail" else 0)


def gate(settings: Settings, name: str) -> Judged:
    """Judge the version of a table that is the latest now.

    Args:
        name: `<layer>.<table>`.

    Raises:
        NoSuchTable: there is no such table, or it has no gate.
        CouldNotRun: there is no Spark, or it can't read the table.
    """
    started = time.monotonic()
    layer, _, own_name = name.partition(".")
    table = gated_table(layer, own_name, read_contracts(settings.contracts_dir))
    version = latest_version(settings, table)
    with _session(settings) as spark:
        judged = judge_version(spark, settings, table, version)
    return replace(judged, seconds=time.monotonic() - started)


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


@contextmanager
def _session(settings: Settings) -> Iterator[SparkSession]:
    try:
        spark = batch_session(settings)
    except (PySparkException, OSError, RuntimeError) as error:
        fix = "start the warehouse (`make up`), or install Java for a driver of its own; `tidemark doctor` checks both"
        raise CouldNotRun(f"there is no Spark to run on: {error}", fix) from error
    try:
        yield spark
    finally:
        spark.stop()  # of a warehouse, only our session


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
    parser = argparse.ArgumentParser(prog="tidemark gate", description="Judge one table.")
    parser.add_argument("table", help="<layer>.<table>")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
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
