"""The ledger's copy stands in for what the log has no more, and the log loses only what it stands in for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from tidemark.ledger import Label, Ledger
from tidemark.ledger_cleaning import clean_log, kept_from
from tidemark.ledger_copy import committed_at, copied_commits, copy_ledger, history_of
from tidemark.ops_tables import LEDGER
from tidemark.settings import Settings

pytestmark = pytest.mark.unit

SOON = datetime.now(UTC) + timedelta(days=1)
ROWS = 5


class Lake:
    """A lake with one bronze table."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        self.path = self.settings.table("bronze", "rides")
        self.ledger = Ledger(self.path)

    def ingest(self, batch: int, topic_id: str = "id") -> None:
        ranges = {0: (ROWS * batch, ROWS * (batch + 1))}
        label = Label("ingest", "bronze_rides", batch, "check", "rides", topic_id, ranges, "1.0.0")
        rows = pa.table({"_offset": pa.array(range(*ranges[0]), pa.int64())})
        stamp = CommitProperties(custom_metadata={"userMetadata": label.to_json()})
        write_deltalake(self.path, rows, mode="append", commit_properties=stamp)

    def checkpoint(self) -> None:
        DeltaTable(self.path).create_checkpoint()

    def copy(self) -> int:
        return copy_ledger(self.settings, "rides")

    def clean(self, before: datetime = SOON) -> int:
        return clean_log(self.settings, "rides", before)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Make a table of six ingests, with a checkpoint at the fourth (version 3)."""
    lake = Lake(tmp_path)
    for batch in range(6):
        lake.ingest(batch)
        if batch == 3:
            lake.checkpoint()
    return lake


def test_each_commit_is_copied_once(lake: Lake) -> None:
    assert (lake.copy(), lake.copy()) == (6, 0)
    lake.ingest(6)
    DeltaTable(lake.path).delete("_offset = 3")
    assert lake.copy() == 2
    assert list(copied_commits(lake.settings, "rides", 0, 99)) == list(lake.ledger.commits())
    assert [each.is_unlabelled for each in copied_commits(lake.settings, "rides", 6, 8)] == [False, True]


def test_what_was_cleaned_is_read_from_the_copy(lake: Lake) -> None:
    whole = history_of(lake.settings, "rides")
    whole.follow()
    lake.copy()
    assert lake.clean() > 0 and lake.ledger.first_version() == 3
    history = history_of(lake.settings, "rides")
    history.follow()
    assert (history.is_whole, history.starts, history.ends, history.newest, history.notes(False)) == (
        *(True, whole.starts, whole.ends, whole.newest),
        [],
    )
    assert DeltaTable(lake.path, version=3).to_pyarrow_table().num_rows == 4 * ROWS
    assert DeltaTable(lake.path).to_pyarrow_table().num_rows == 6 * ROWS
    assert committed_at(lake.settings, "rides", 0) is not None
    assert lake.clean() == 0


def test_without_the_copy_a_cleaned_ledger_is_not_whole(lake: Lake) -> None:
    for version in (0, 1):
        (Path(lake.path) / "_delta_log" / f"{version:020d}.json").unlink()
    history = history_of(lake.settings, "rides")
    history.follow()
    assert not history.is_whole


def test_what_was_not_copied_is_not_cleaned(lake: Lake) -> None:
    assert lake.clean() == 0
    assert lake.ledger.first_version() == 0


def test_what_is_too_young_is_not_cleaned(lake: Lake) -> None:
    lake.copy()
    assert lake.clean(before=datetime.now(UTC) - timedelta(days=7)) == 0


def test_what_no_checkpoint_covers_is_not_cleaned(lake: Lake) -> None:
    lake.copy()
    (Path(lake.path) / "_delta_log" / f"{3:020d}.checkpoint.parquet").write_bytes(b"torn")
    assert kept_from(lake.settings, "rides", SOON) == 0


def test_the_newest_ingest_stays_in_the_log_for_the_streams(lake: Lake) -> None:
    for offset in range(3):
        DeltaTable(lake.path).delete(f"_offset = {offset}")
    lake.checkpoint()
    lake.copy()
    assert kept_from(lake.settings, "rides", SOON) == 3
    lake.clean()
    assert lake.ledger.newest_ingest() is not None


def test_a_table_made_anew_has_nothing_of_the_old_ones_copy(lake: Lake) -> None:
    lake.copy()
    Path(lake.path).rename(Path(lake.path).with_name("archived"))
    lake.ingest(0, topic_id="new")
    assert list(copied_commits(lake.settings, "rides", 0, 99)) == []
    assert lake.copy() == 1
    assert DeltaTable(lake.settings.table("ops", LEDGER)).to_pyarrow_table().num_rows == 7
