"""A batch job's rows take the place of a stream's: they are final, and the stream leaves them alone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from streaming.batch.row_differences import differences
from streaming.row_comparison import Compared
from streaming.speed_table import SpeedTable
from tidemark.leases import Fence
from tidemark.locks import LockHeld, exclusive

pytestmark = pytest.mark.unit

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
COUNTED = pa.schema([("thing", pa.string()), ("at", pa.timestamp("us", "UTC")), ("count", pa.int64())])
SCHEMA = pa.schema([*COUNTED, ("is_final", pa.bool_()), ("updated_at", pa.timestamp("us", "UTC"))])

Count = tuple[str | None, int, int]  # of a thing, in a minute after noon
Row = tuple[str | None, int, int, bool]


class Things:
    """A table that a stream and a batch job write."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock = str(path / "things"), path / "things.write"
        self.table = SpeedTable(self.path, ("thing", "at"), "at", lock=self.lock)
        self.table.create(SCHEMA)
        self.announced: list[Compared] = []
        self._steps = 0

    def stream(self, *counts: Count) -> None:
        rows = [{**each, "is_final": False, "updated_at": NOON} for each in counted(*counts).to_pylist()]
        self.table.upsert(pa.Table.from_pylist(rows, SCHEMA))

    def replace(self, *counts: Count, hour: datetime = NOON) -> Compared:
        return self.table.replace_hour(counted(*counts), hour, self.fence, self.announced.append)

    def fence(self) -> Fence:
        self._steps += 1
        return Fence("lease:things", self._steps)

    @property
    def rows(self) -> Sequence[Row]:
        rows = DeltaTable(self.path).to_pyarrow_table().to_pylist()
        minutes = [(row["at"] - NOON) // timedelta(minutes=1) for row in rows]
        found = [(each["thing"], at, each["count"], each["is_final"]) for each, at in zip(rows, minutes, strict=True)]
        return sorted(found, key=str)

    @property
    def version(self) -> int:
        return DeltaTable(self.path).version()


def counted(*counts: Count) -> pa.Table:
    rows = [{"thing": thing, "at": NOON + timedelta(minutes=minute), "count": count} for thing, minute, count in counts]
    return pa.Table.from_pylist(rows, COUNTED)


@pytest.fixture
def things(tmp_path: Path) -> Things:
    return Things(tmp_path)


def test_an_hours_rows_are_replaced_by_final_ones_in_one_commit_and_other_hours_stay(things: Things) -> None:
    things.stream(("equal", 0, 1), ("wrong", 0, 1), ("extra", 0, 1), ("equal", 60, 1), (None, 5, 1))
    before = things.version
    found = things.replace(("equal", 0, 1), ("wrong", 0, 2), ("missing", 59, 3), (None, 5, 1))
    assert things.version == before + 1
    assert things.rows == [
        ("equal", 0, 1, True),
        ("equal", 60, 1, False),
        ("missing", 59, 3, True),
        ("wrong", 0, 2, True),
        (None, 5, 1, True),
    ]
    assert (len(found.missing), len(found.extra), len(found.different), len(found.equal)) == (1, 1, 1, 2)
    assert DeltaTable(things.path).transaction_version("lease:things") == 1


def test_a_second_replacement_commits_nothing_and_tells_nothing(things: Things) -> None:
    counts: list[Count] = [("a", 0, 1), (None, 0, 2), ("b", 7, 3)]
    things.replace(*counts)
    version = things.version
    assert things.replace(*counts).changes == 0
    assert (things.version, len(things.announced)) == (version, 1)


def test_rows_that_are_equal_become_final_and_keep_their_time_from_then_on(things: Things) -> None:
    things.stream(("a", 0, 1), ("b", 0, 1))
    assert things.replace(("a", 0, 1), ("b", 0, 1)).changes == 0
    assert {row[3] for row in things.rows} == {True}
    first = updated(things)
    assert first["a"] > NOON
    things.replace(("a", 0, 1), ("b", 0, 2))
    assert updated(things)["a"] == first["a"] and updated(things)["b"] > first["b"]
    assert not things.announced[0].missing and len(things.announced) == 1


def updated(things: Things) -> dict[str, datetime]:
    return {row["thing"]: row["updated_at"] for row in DeltaTable(things.path).to_pyarrow_table().to_pylist()}


def test_an_hour_that_should_have_no_rows_loses_those_that_it_has(things: Things) -> None:
    things.stream(("a", 0, 1), ("a", 60, 1))
    things.table.replace_hour(None, NOON, things.fence)
    assert things.rows == [("a", 60, 1, False)]
    version = things.version
    things.table.replace_hour(None, NOON, things.fence)
    assert things.version == version


def test_a_provisional_row_never_takes_a_final_ones_place_and_new_keys_still_land(things: Things) -> None:
    things.replace(("a", 0, 5), (None, 0, 5))
    version = things.version
    things.stream(("a", 0, 1), (None, 0, 1))
    assert things.version == version
    things.stream(("a", 0, 1), (None, 0, 1), ("late", 0, 1))
    assert things.rows == [("a", 0, 5, True), ("late", 0, 1, False), (None, 0, 5, True)]


def test_of_several_rows_of_a_key_one_stays_whatever_their_order(things: Things) -> None:
    write_deltalake(things.path, final(("a", 0, 1), ("a", 0, 2)), mode="append")
    assert len(things.replace(("a", 0, 1), ("a", 0, 2)).extra) == 1
    assert things.replace(("a", 0, 2), ("a", 0, 1)).changes == 0
    assert things.rows == [("a", 0, 2, True)]


def final(*counts: Count) -> pa.Table:
    rows = [{**each, "is_final": True, "updated_at": NOON} for each in counted(*counts).to_pylist()]
    return pa.Table.from_pylist(rows, SCHEMA)


def test_a_comparison_finds_the_same_and_writes_nothing(things: Things) -> None:
    things.stream(("a", 0, 1))
    version = things.version
    assert things.table.compare_hour(counted(("a", 0, 2)), NOON).different["count"].to_pylist() == [2]
    assert things.version == version


def test_what_is_wrong_is_told_row_by_row_before_it_is_put_right_and_nothing_personal(things: Things) -> None:
    things.stream(("wrong", 0, 1), ("extra", 0, 1))
    told: list[tuple[str, object, object]] = []

    def announce(found: Compared) -> None:
        assert {row[3] for row in things.rows} == {False}
        told.extend((each.kind, each.key["thing"], each.columns) for each in differences(found, ("thing", "at"), []))
        masked = list(differences(found, ("thing", "at"), ["thing", "count"]))
        assert {each.key["thing"] for each in masked} == {"***"} and masked[2].columns == {"count": ["***", "***"]}

    things.table.replace_hour(counted(("wrong", 0, 2), ("missing", 0, 1)), NOON, things.fence, announce)
    assert told == [("missing", "missing", None), ("extra", "extra", None), ("different", "wrong", {"count": [1, 2]})]


def test_a_lease_that_is_taken_over_before_the_commit_keeps_it_out(things: Things) -> None:
    things.stream(("a", 0, 1))

    def taken_over() -> Fence:
        ours, theirs = things.fence(), CommitProperties(app_transactions=[Transaction("lease:things", 10**6)])
        write_deltalake(things.path, final(), mode="append", commit_properties=theirs)
        return ours

    with pytest.raises(CommitFailedError, match="Concurrent"):
        things.table.replace_hour(counted(("a", 0, 2)), NOON, taken_over)
    assert things.rows == [("a", 0, 1, False)]


def test_both_write_an_hour_under_the_tables_lock_alone(things: Things, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.speed_table._LOCK_SECONDS", 0.0)
    with exclusive(things.lock, "the lock"):
        for write in (things.stream, things.replace):
            with pytest.raises(LockHeld, match=f"the write lock of {things.path} is held"):
                write(("a", 0, 1))
    assert things.version == 0
    things.stream(("a", 0, 1))
    things.replace(("a", 0, 2))
    assert things.rows == [("a", 0, 2, True)]
