"""Leases between processes, and the tokens that keep a job out which lost its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tidemark.leases import LeaseHeld, LeaseLost, leased

pytestmark = pytest.mark.unit

DAY = date(2026, 1, 2)
TABLE = "bronze.rides"

_HOLD = """
import sys, time
from datetime import date
from pathlib import Path
from tidemark.leases import leased
with leased(Path(sys.argv[1]), "bronze.rides", sys.argv[2], date(2026, 1, 2), "backfill"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = str(tmp_path / "rides")
    write_deltalake(path, pa.table({"a": [1]}))
    return path


@contextmanager
def held_elsewhere(leases: Path, table: str) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the lease."""
    with subprocess.Popen([sys.executable, "-c", _HOLD, leases, table], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield holder
        finally:
            holder.kill()


def test_a_second_job_is_refused_and_told_who_is_at_work(tmp_path: Path, table: str) -> None:
    with (
        held_elsewhere(tmp_path / "leases", table) as holder,
        pytest.raises(LeaseHeld, match=rf"{TABLE} 2026-01-02: backfill \(process {holder.pid}"),
        leased(tmp_path / "leases", TABLE, table, DAY, "replay", wait_seconds=0.1),
    ):
        pytest.fail("the lease was given twice")


def test_another_day_and_another_table_are_free(tmp_path: Path, table: str) -> None:
    with (
        held_elsewhere(tmp_path / "leases", table),
        leased(tmp_path / "leases", TABLE, table, date(2026, 1, 3), "replay", wait_seconds=0),
        leased(tmp_path / "leases", "bronze.sales", table, DAY, "replay", wait_seconds=0),
    ):
        pass


def test_a_killed_holders_lease_is_taken_over_and_its_token_outdone(tmp_path: Path, table: str) -> None:
    with held_elsewhere(tmp_path / "leases", table) as holder:
        holder.kill()
        holder.wait()
        with leased(tmp_path / "leases", TABLE, table, DAY, "replay", wait_seconds=5) as lease:
            recorded = DeltaTable(table).transaction_version(lease.app_id)
            assert recorded is not None
            assert recorded > 1 * 1_000_000 + 999_999  # whatever the first holder still writes is older
            assert lease.fence().version > recorded


def test_a_lease_that_was_let_go_leaves_no_commit(tmp_path: Path, table: str) -> None:
    versions = []
    for _ in range(2):
        with leased(tmp_path / "leases", TABLE, table, DAY, "replay") as lease:
            versions.append(lease.fence().version)
    assert versions[1] > versions[0]
    assert DeltaTable(table).version() == 0


def test_a_job_whose_lease_ran_out_on_another_machine_can_write_no_more(tmp_path: Path, table: str) -> None:
    with leased(tmp_path / "leases", TABLE, table, DAY, "reconcile") as lost:
        expire(tmp_path / "leases" / TABLE / f"{DAY}.json")
        with leased(tmp_path / "leases", TABLE, table, DAY, "replay", wait_seconds=0) as lease:
            with pytest.raises(LeaseLost, match="was taken over by replay"):
                lost.fence()
            assert lease.fence().version  # and the one that has it goes on


def expire(entry: Path) -> None:
    held = json.loads(entry.read_text())
    assert held["pid"] == os.getpid()
    entry.write_text(json.dumps(held | {"host": "elsewhere", "expires": time.time() - 1}))
