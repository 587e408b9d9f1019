"""A job that lost its lease after it asked for its fence: Delta leaves out what it writes, and the job is told."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from streaming.batch.fenced import FencedTable
from tests.spark.judge import CONTRACT
from tests.spark.records import Record, as_bronze
from tidemark.leases import Fence, Lease, LeaseLost, leased
from tidemark.ledger import Label, Ledger
from tidemark.settings import Settings

pytestmark = pytest.mark.spark

DAY = date(2026, 1, 2)
NAME = f"bronze.{CONTRACT.id}"
LABEL = Label("repair", "reconcile", 1, "run", CONTRACT.topic, "t", {3: (0, 1)}, "1.0.0")


class TakenOver(Lease):
    """A lease that another job takes in the moment between the fence and the write."""

    def __init__(self, lease: Lease, settings: Settings) -> None:
        self._own, self._settings = lease, settings
        self.app_id = lease.app_id

    def fence(self) -> Fence:
        fence = self._own.fence()
        with another_job(self._settings):
            return fence

    def lost(self) -> LeaseLost:
        return self._own.lost()


@contextmanager
def another_job(settings: Settings) -> Iterator[Lease]:
    entry = settings.leases / NAME / f"{DAY}.json"
    entry.write_text(json.dumps(json.loads(entry.read_text()) | {"host": "elsewhere", "expires": time.time() - 1}))
    with leased(settings.leases, NAME, settings.table("bronze", CONTRACT.id), DAY, "replay", 0) as lease:
        yield lease


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def rows(spark: SparkSession, settings: Settings) -> DataFrame:
    """A table of one row, and the row."""
    rows = as_bronze(spark, CONTRACT, [Record(b"{}")])
    rows.write.format("delta").partitionBy("_ingest_date").save(settings.table("bronze", CONTRACT.id))
    return rows


@pytest.mark.parametrize("how", ["append", "replace", "update"])
def test_what_a_zombie_writes_changes_nothing_and_it_is_told(settings: Settings, rows: DataFrame, how: str) -> None:
    path = settings.table("bronze", CONTRACT.id)
    with leased(settings.leases, NAME, path, DAY, "reconcile") as lease:
        write(FencedTable(settings, CONTRACT, lease), rows, how)
        before = [commit.label for commit in Ledger(path).commits()]
        zombie = FencedTable(settings, CONTRACT, TakenOver(lease, settings))
        with pytest.raises(LeaseLost, match="was taken over"):
            write(zombie, rows, how)
    assert before[-1] == LABEL
    assert [commit.label for commit in Ledger(path).commits() if commit.changes_data] == before


def write(table: FencedTable, rows: DataFrame, how: str) -> None:
    if how == "append":
        table.append(rows, LABEL)
    elif how == "replace":
        table.replace(rows, "_ingest_date = DATE'2026-01-02'", [DAY], LABEL)
    else:
        table.update(rows, DAY, LABEL)
