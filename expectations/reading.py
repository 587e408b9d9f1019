"""The rows that a gate judges, read at one version, with the numbers that were measured of them."""

import logging
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from great_expectations.compatibility.pyspark import DataFrame, SparkSession
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from expectations.pinned import Pin, committed_before
from expectations.suites.checks import SECONDS_OLD
from expectations.suites.gated import GatedTable
from expectations.suites.surveys import EVERY, JUDGED, LEDGER_LEAST, LEDGER_MOST, SETTLED, Survey, called
from streaming.session import batch_session
from tidemark import bronze
from tidemark.errors import TidemarkError
from tidemark.ledger_rows import LedgerRows, ledger_rows
from tidemark.names import quoted
from tidemark.settings import Settings

log = logging.getLogger(__name__)


class CouldNotRun(TidemarkError):
    """There is no verdict: the gate could not run."""


@dataclass(frozen=True)
class Read:
    """Rows to judge, and what the version has."""

    rows: DataFrame
    present: frozenset[str]  # the columns of the table
    others: Mapping[str, int]  # the version of each other table that was read


def positions(table: GatedTable, present: frozenset[str]) -> tuple[str, ...]:
    """Name the columns that say where a row comes from, of those that a table has and that are not its key."""
    return tuple(name for name in bronze.POSITION if name in present and name not in table.key)


def opened_session(settings: Settings, held: ExitStack) -> SparkSession:
    """Open the session that all gates of a run share.

    Raises:
        CouldNotRun: there is no Spark.
    """
    try:
        return held.enter_context(batch_session(settings))
    except (PySparkException, OSError, RuntimeError) as error:
        fix = "start the warehouse (`make up`), or install Java for a driver of its own; `tidemark doctor` checks both"
        raise CouldNotRun(f"there is no Spark to run on: {error}", fix) from error


def read(spark: SparkSession, settings: Settings, table: GatedTable, pin: Pin) -> Read:
    """Read the rows and columns that are judged, how old each was at the commit, and the numbers beside them.

    Raises:
        CouldNotRun: the table can't be read at that version.
    """
    stored, present = _stored(spark, settings, table, pin)
    settled = stored.where(pin.settled)
    judged = settled.where(table.where)
    others = _others(settings, table, pin)
    # What the table lacks is null to the surveys: one column that went must not take all of their numbers with it
    lacking = [f"CAST(NULL AS DOUBLE) AS {quoted(column)}" for column in table.columns if column not in present]
    frames = {EVERY: stored, SETTLED: settled, JUDGED: judged.selectExpr("*", *lacking)}
    for name, version in others.items():
        frames[called(name)[1:-1]] = _at_version(spark, settings.table(*name.split(".", 1)), version)
    ledger = ledger_rows(settings, table.contract, pin.version.version) if table.contract else None
    numbers = _measured(spark, table, frames, ledger)
    columns = [quoted(column) for column in (*table.columns, *positions(table, present)) if column in present]
    if table.event_time in present:
        age = f"({pin.version.committed_at} - unix_millis({quoted(table.event_time)})) / 1000.0D"
        columns.append(f"{age} AS {quoted(SECONDS_OLD)}")
    columns += [f"{_number(value)} AS {quoted(name)}" for name, value in numbers.items()]
    return Read(judged.selectExpr(*columns), present, others)


def _stored(spark: SparkSession, settings: Settings, table: GatedTable, pin: Pin) -> tuple[DataFrame, frozenset[str]]:
    """Give all rows of the version, and the columns that they have."""
    path = settings.table(table.layer, table.name)
    stored = _at_version(spark, path, pin.version.version)
    try:
        return stored, frozenset(stored.columns)
    except PySparkException as error:
        fix = "run the gate again; if it stays so, `tidemark doctor`"
        raise CouldNotRun(f"{path} can't be read at version {pin.version.version}: {error}", fix) from error


def _others(settings: Settings, table: GatedTable, pin: Pin) -> dict[str, int]:
    """Give the version of each other table that the surveys read: what there was when this one was committed."""
    names = sorted({other for survey in table.surveys for other in survey.reads})
    found = {name: committed_before(settings, name, pin.version.committed_at) for name in names}
    return {name: version for name, version in found.items() if version is not None}


def _measured(
    spark: SparkSession, table: GatedTable, frames: Mapping[str, DataFrame], ledger: LedgerRows | None
) -> dict[str, float | None]:
    """Take the surveys; what one can't give is left out, and the expectation of it fails."""
    numbers: dict[str, float | None] = {}
    with _views(frames) as views:
        bounds = {LEDGER_LEAST: ledger.least if ledger else "NULL", LEDGER_MOST: ledger.most if ledger else "NULL"}
        for survey in table.surveys:
            try:
                numbers |= _taken(spark, survey, {**views, **bounds})
            except (PySparkException, Py4JError, KeyError) as error:
                log.warning("%s: a survey could not be taken: %s", table.full_name, str(error).splitlines()[0])
    return numbers


def _taken(spark: SparkSession, survey: Survey, names: Mapping[str, object]) -> dict[str, float | None]:
    (row,) = spark.sql(survey.query.format_map(names)).collect()
    return {name: None if row[name] is None else float(row[name]) for name in survey.numbers}


@contextmanager
def _views(frames: Mapping[str, DataFrame]) -> Iterator[dict[str, str]]:
    """Name frames for queries, as nobody else does in the session."""
    views = {name: f"gate_{os.getpid()}_{name}" for name in frames}
    try:
        for name, frame in frames.items():
            frame.createOrReplaceTempView(views[name])
        yield views
    finally:
        for name, frame in frames.items():
            frame.sparkSession.catalog.dropTempView(views[name])


def _at_version(spark: SparkSession, path: str, version: int) -> DataFrame:
    return spark.read.format("delta").option("versionAsOf", version).load(path)


def _number(value: float | None) -> str:
    return "CAST(NULL AS DOUBLE)" if value is None or math.isnan(value) else f"{value!r}D"
