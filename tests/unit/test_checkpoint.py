"""Checkpoints, in folders written by hand as Spark writes them."""

import json
from pathlib import Path

import pytest

from streaming.checkpoint import Checkpoint
from streaming.streams.bronze import continues
from tidemark.ledger import Label, Range

pytestmark = pytest.mark.unit

ID = "5cb0f1b5-7a3e-4f0e-8b0e-0d6c2c6d5c52"


def positions(ends: dict[int, int], topic: str = "rides") -> str:
    return json.dumps({topic: {str(partition): end for partition, end in ends.items()}}, separators=(",", ":"))


class Folder:
    """A checkpoint of one Kafka source."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = Checkpoint(path, "rides")

    def begin(self, starts: dict[int, int]) -> None:
        """Write what Spark does when a query starts; the source's file begins with the mark of an old Spark."""
        (self.path / "sources" / "0").mkdir(parents=True)
        for name in ("offsets", "commits"):
            (self.path / name).mkdir()
        (self.path / "metadata").write_text(json.dumps({"id": ID}))
        (self.path / "sources" / "0" / "0").write_bytes(b"\x00v1\n" + positions(starts).encode())

    def plan(self, batch: int, ends: dict[int, int]) -> None:
        """Write what Spark does before a batch: its offsets, beside a checksum and what a crash leaves."""
        metadata = {"batchWatermarkMs": 0, "batchTimestampMs": 1_750_000_000_000, "conf": {"spark.sql.x": "{}"}}
        text = "\n".join(["v1", json.dumps(metadata), positions(ends)])
        (self.path / "offsets" / str(batch)).write_text(text)
        (self.path / "offsets" / f".{batch}.crc").write_bytes(b"crc\x00")
        (self.path / "offsets" / f".{batch + 1}.5f7a.tmp").write_text("v1")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "bronze_rides")


def test_a_checkpoint_exists_once_its_query_was_started(folder: Folder) -> None:
    assert not folder.checkpoint.exists()
    folder.begin({0: 0})
    assert folder.checkpoint.exists()
    assert folder.checkpoint.id() == ID


def test_the_last_batch_is_the_newest_that_was_planned(folder: Folder) -> None:
    assert folder.checkpoint.last_batch() == -1
    folder.begin({0: 0})
    assert folder.checkpoint.last_batch() == -1
    for batch in range(11):
        folder.plan(batch, {0: batch})
    assert folder.checkpoint.last_batch() == 10


def test_the_first_batch_starts_where_the_source_began(folder: Folder) -> None:
    folder.begin({0: 7, 1: 0})
    folder.plan(0, {0: 9, 1: 0})
    assert folder.checkpoint.ranges(0) == {0: (7, 9), 1: (0, 0)}


def test_a_batch_starts_where_the_one_before_it_ended(folder: Folder) -> None:
    folder.begin({0: 0, 1: 0})
    folder.plan(0, {0: 5, 1: 3})
    folder.plan(1, {0: 5, 1: 8})
    assert folder.checkpoint.starts(1) == {0: 5, 1: 3}
    assert folder.checkpoint.ends(1) == {0: 5, 1: 8}
    assert folder.checkpoint.ranges(1) == {0: (5, 5), 1: (3, 8)}


def test_a_partition_that_is_new_starts_at_its_beginning(folder: Folder) -> None:
    folder.begin({0: 4})
    folder.plan(0, {0: 5, 1: 2})
    folder.plan(1, {0: 6, 1: 3, 2: 9})
    assert folder.checkpoint.ranges(0) == {0: (4, 5), 1: (0, 2)}
    assert folder.checkpoint.ranges(1) == {0: (5, 6), 1: (2, 3), 2: (0, 9)}


def test_an_archived_checkpoint_is_kept_aside_whole(folder: Folder) -> None:
    folder.begin({0: 0})
    folder.plan(0, {0: 5})
    aside = folder.checkpoint.archive()
    assert not folder.path.exists()
    assert not folder.checkpoint.exists()
    assert Checkpoint(aside, "rides").ranges(0) == {0: (0, 5)}
    folder.begin({0: 5})
    assert folder.checkpoint.archive() != aside


def entry(batch: int, ranges: dict[int, Range], checkpoint: str = ID) -> Label:
    return Label("ingest", "bronze_rides", batch, checkpoint, "rides", "id1", ranges, "1.0.0")


@pytest.mark.parametrize(
    ("newest", "goes_on"),
    [
        (None, False),
        (entry(1, {0: (5, 9)}), True),  # the last batch landed
        (entry(0, {0: (0, 5)}), True),  # the last batch is still to land
        (entry(1, {0: (5, 8)}), False),
        (entry(2, {0: (9, 12)}), False),  # an older copy was put back
        (entry(7, {0: (2, 5)}, "another"), True),  # it was made to continue another one's ledger
        (entry(7, {0: (2, 6)}, "another"), False),
        (entry(1, {0: (5, 9)}, "another"), False),
    ],
)
def test_a_checkpoint_goes_on_where_the_ledger_ends_or_not(folder: Folder, newest: Label | None, goes_on: bool) -> None:
    folder.begin({0: 0})
    folder.plan(0, {0: 5})
    folder.plan(1, {0: 9})
    assert continues(folder.checkpoint, newest) is goes_on


def test_a_first_batch_goes_on_from_no_ledger(folder: Folder) -> None:
    folder.begin({0: 0})
    assert continues(folder.checkpoint, None)
    assert not continues(folder.checkpoint, entry(0, {0: (0, 5)}))
    folder.plan(0, {0: 5})
    assert continues(folder.checkpoint, None)
