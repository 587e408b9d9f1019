"""The rules of the write, each kept and each broken."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streaming.rules import (
    LedgerTail,
    RuleBreach,
    is_committed,
    is_confirmed,
    is_the_same_topic,
    starts_at_the_end,
)
from tests.unit.delta_log import Table
from tidemark.ledger import Label, Range

pytestmark = pytest.mark.unit


def label(batch: int, ranges: Mapping[int, Range], **changes: Any) -> Label:
    return replace(Label("ingest", "bronze_rides", batch, "cp", "rides", "id1", ranges, "1.0.0"), **changes)


NEWEST = label(4, {0: (10, 20), 1: (5, 5)})


@pytest.mark.parametrize(
    ("batch", "newest"),
    [
        (label(0, {0: (0, 5)}), None),
        (label(5, {0: (20, 30), 1: (5, 9)}), NEWEST),
        (label(9, {0: (20, 30), 1: (5, 9)}), NEWEST),
        (label(0, {0: (20, 30), 1: (5, 9)}, checkpoint="new"), NEWEST),
        (label(4, {0: (20, 30), 1: (5, 9)}, checkpoint="new"), NEWEST),
    ],
)
def test_a_batch_that_the_ledger_does_not_have_is_to_be_written(batch: Label, newest: Label | None) -> None:
    assert not is_committed(batch, newest)


def test_a_batch_that_the_ledger_has_is_skipped() -> None:
    assert is_committed(label(4, {1: (5, 5), 0: (10, 20)}), NEWEST)


@pytest.mark.parametrize("ranges", [{0: (10, 21), 1: (5, 5)}, {0: (9, 20), 1: (5, 5)}, {0: (10, 20)}])
def test_the_same_batch_with_other_ranges_is_refused(ranges: Mapping[int, Range]) -> None:
    with pytest.raises(RuleBreach, match=r"batch 4 covers 0:\[.*ledger has batch 4 with 0:\[10,20\), 1:\[5,5\)"):
        is_committed(label(4, ranges), NEWEST)


def test_an_older_batch_of_the_same_checkpoint_is_refused() -> None:
    with pytest.raises(RuleBreach, match="the checkpoint is older than the table: `tidemark restart streams`"):
        is_committed(label(3, {0: (0, 10), 1: (5, 5)}), NEWEST)


@pytest.mark.parametrize(
    ("ranges", "newest"),
    [
        ({0: (20, 30), 1: (5, 5)}, NEWEST),
        ({0: (20, 20), 1: (5, 9)}, NEWEST),
        ({0: (20, 30), 1: (5, 5), 2: (0, 7)}, NEWEST),
        ({0: (20, 30), 1: (5, 5), 2: (3, 7)}, NEWEST),
        ({0: (7, 9)}, None),
        ({}, None),
    ],
)
def test_a_batch_that_starts_where_the_ledger_ends_is_let_through(
    ranges: Mapping[int, Range], newest: Label | None
) -> None:
    starts_at_the_end(label(5, ranges), newest)


def test_a_gap_is_refused_as_loss() -> None:
    with pytest.raises(
        RuleBreach, match=r"starts at offset 21 of rides/0, but the ledger ends at 20: .* would be lost"
    ):
        starts_at_the_end(label(5, {0: (21, 30), 1: (5, 5)}), NEWEST)


def test_an_overlap_is_refused_as_doubling() -> None:
    with pytest.raises(RuleBreach, match=r"starts at offset 4 of rides/1, but the ledger ends at 5: .* landed twice"):
        starts_at_the_end(label(5, {0: (20, 30), 1: (4, 5)}), NEWEST)


def test_a_gap_in_one_partition_is_not_made_up_for_by_an_overlap_in_another() -> None:
    with pytest.raises(RuleBreach):
        starts_at_the_end(label(5, {0: (21, 30), 1: (4, 5)}), NEWEST)


def test_a_partition_left_out_is_refused() -> None:
    with pytest.raises(RuleBreach, match=r"leaves out partitions \[1\] of rides that the ledger has"):
        starts_at_the_end(label(5, {0: (20, 30)}), NEWEST)


def test_the_same_topic_is_let_through() -> None:
    is_the_same_topic(label(5, {}), NEWEST)
    is_the_same_topic(label(0, {}, topic_id="id2"), None)


def test_a_recreated_topic_is_refused_with_the_way_to_adopt_it() -> None:
    with pytest.raises(
        RuleBreach, match="rides is id2 now, but the table holds id1: it was deleted and created"
    ) as told:
        is_the_same_topic(label(5, {}, topic_id="id2"), NEWEST)
    assert "`tidemark topic adopt rides`" in told.value.fix


def test_a_write_that_the_ledger_has_is_confirmed() -> None:
    is_confirmed(label(4, {0: (10, 20), 1: (5, 5)}), NEWEST)


@pytest.mark.parametrize(
    ("written", "newest", "found"),
    [
        (label(0, {0: (0, 5)}), None, "nothing"),
        (label(5, {0: (20, 30), 1: (5, 5)}), NEWEST, r"batch 4 with 0:\[10,20\), 1:\[5,5\)"),
        (label(4, {0: (10, 21), 1: (5, 5)}), NEWEST, r"batch 4 with 0:\[10,20\), 1:\[5,5\)"),
        (label(4, NEWEST.ranges, checkpoint="new"), NEWEST, "batch 4 with"),
        (label(4, NEWEST.ranges, topic_id="id2"), NEWEST, "batch 4 with"),
    ],
)
def test_a_write_that_delta_skipped_is_found_out(written: Label, newest: Label | None, found: str) -> None:
    with pytest.raises(RuleBreach, match=f"was written, but the newest entry of the ledger is {found}"):
        is_confirmed(written, newest)


def test_the_tail_follows_the_ledger(tmp_path: Path) -> None:
    table = Table(tmp_path)
    tail = LedgerTail(table.ledger)
    assert tail.newest() is None
    table.commit("CREATE TABLE", data=False)
    assert tail.newest() is None
    first, second = label(0, {0: (0, 5)}), label(1, {0: (5, 9)})
    table.commit(metadata=first.to_json())
    assert tail.newest() == first
    table.commit(metadata=second.to_json())
    table.commit("OPTIMIZE", second.to_json(), data=False)
    table.commit("WRITE", label(0, {0: (2, 3)}, kind="repair").to_json())
    assert tail.newest() == second
    assert tail.newest() == second


def test_the_tail_reads_each_commit_once(tmp_path: Path) -> None:
    table = Table(tmp_path)
    tail = LedgerTail(table.ledger)
    table.commit(metadata=NEWEST.to_json())
    assert tail.newest() == NEWEST
    (table.log / f"{0:020d}.json").write_text("cannot be read again")
    assert tail.newest() == NEWEST
