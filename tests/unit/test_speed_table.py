"""A speed table takes what is new and what differs, and touches nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from streaming.speed_table import SpeedTable

pytestmark = pytest.mark.unit

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("thing", pa.string()),
        ("window_start", pa.timestamp("us", "UTC")),
        ("amount", pa.float64()),
        ("parts", pa.list_(pa.string())),
        ("updated_at", pa.timestamp("us", "UTC")),
    ]
)

Row = tuple[str | None, int, float | None, list[str] | None]


class Things:
    """A speed table, and what was done to it."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.table = SpeedTable(self.path, ("thing", "window_start"), "window_start")
        self.table.create(SCHEMA)
        self._batch = 0

    def upsert(self, *rows: Row) -> None:
        self._batch += 1
        now = NOON + timedelta(seconds=self._batch)
        typed = [(thing, NOON + timedelta(minutes=minutes), *values, now) for thing, minutes, *values in rows]
        dicts = [dict(zip(SCHEMA.names, row, strict=True)) for row in typed]
        self.table.upsert(pa.Table.from_pylist(dicts, schema=SCHEMA))

    @property
    def rows(self) -> Sequence[Row]:
        rows = DeltaTable(self.path).to_pyarrow_table().to_pylist()
        minutes = [(row["window_start"] - NOON) // timedelta(minutes=1) for row in rows]
        found = [(row["thing"], minute, row["amount"], row["parts"]) for row, minute in zip(rows, minutes, strict=True)]
        return sorted(found, key=str)

    @property
    def version(self) -> int:
        return DeltaTable(self.path).version()

    @property
    def files(self) -> set[str]:
        return set(DeltaTable(self.path).file_uris())


@pytest.fixture
def things(tmp_path: Path) -> Things:
    return Things(tmp_path / "things")


def test_what_is_new_lands_and_what_differs_is_replaced_in_one_commit(things: Things) -> None:
    things.upsert(("a", 0, 1.0, ["x"]), ("b", 0, None, None), (None, 0, 3.0, []), ("d", 5, 1.0, ["x"]))
    assert things.version == 1
    things.upsert(("a", 0, 1.0, ["x"]), ("b", 0, 2.0, None), (None, 0, 4.0, []), ("c", 5, 4.0, ["y"]))
    assert things.version == 2
    assert things.rows == [
        ("a", 0, 1.0, ["x"]),
        ("b", 0, 2.0, None),
        ("c", 5, 4.0, ["y"]),
        ("d", 5, 1.0, ["x"]),
        (None, 0, 4.0, []),
    ]


@pytest.mark.parametrize(
    "change", [("a", 0, 2.0, ["x"]), ("a", 0, None, ["x"]), ("a", 0, 1.0, ["y"]), ("a", 0, 1.0, None)]
)
def test_one_value_that_differs_is_a_difference(things: Things, change: Row) -> None:
    things.upsert(("a", 0, 1.0, ["x"]))
    things.upsert(change)
    assert things.rows == [change]


def test_a_repeat_commits_nothing(things: Things) -> None:
    rows: list[Row] = [("a", 0, 1.0, ["x"]), ("b", 0, None, None), (None, 5, 3.0, [])]
    things.upsert(*rows)
    things.upsert(*rows)
    things.upsert()
    assert things.version == 1


def test_a_file_has_rows_of_one_hour_and_only_files_of_the_batch_are_written(things: Things) -> None:
    for minutes in (0, 55, 115, 60):
        things.upsert(("a", minutes, 1.0, None), ("b", minutes + 60, 1.0, None))
    before = things.files
    assert len(before) == 3
    things.upsert(("a", 115, 2.0, None))
    assert len(things.files) == 3
    assert len(things.files & before) == 2


def test_rows_of_a_large_hour_are_not_written_again_for_new_ones(
    things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.speed_table._SMALL", 2)
    things.upsert(("a", 0, 1.0, None), ("b", 0, 1.0, None))
    before = things.files
    things.upsert(("c", 0, 1.0, None))
    assert before < things.files
    things.upsert(("c", 0, 2.0, None))
    assert len(things.rows) == 3
    assert not before & things.files


def test_a_column_that_the_layer_gained_is_added_and_one_that_it_lost_is_kept(things: Things) -> None:
    things.upsert(("a", 0, 1.0, None), ("b", 0, 5.0, None))
    gained = SCHEMA.remove(2).append(pa.field("color", pa.string()))
    things.table.create(gained)
    row = {"thing": "a", "window_start": NOON, "parts": None, "updated_at": NOON, "color": "red"}
    things.table.upsert(pa.Table.from_pylist([row], schema=gained))
    found = {row["thing"]: row for row in DeltaTable(things.path).to_pyarrow_table().to_pylist()}
    assert {name: (row["amount"], row["color"]) for name, row in found.items()} == {
        "a": (None, "red"),
        "b": (5.0, None),
    }


def test_the_newest_time_is_known(things: Things) -> None:
    assert things.table.newest() is None
    things.upsert(("a", 90, 1.0, None), ("a", 0, 1.0, None))
    assert things.table.newest() == NOON + timedelta(minutes=90)


def test_what_changes_is_announced_before_it_is_written_and_what_is_equal_never(things: Things) -> None:
    told: list[tuple[str, float, int]] = []

    def announce(changed: pa.Table) -> None:
        told.extend((row["thing"], row["amount"], len(things.rows)) for row in changed.to_pylist())

    for amounts in ((1.0, 1.0), (1.0, 2.0), (1.0, 2.0)):
        rows = [{"thing": name, "window_start": NOON, "amount": each} for name, each in zip("ab", amounts, strict=True)]
        things.table.upsert(pa.Table.from_pylist(rows, schema=SCHEMA), announce)
    assert told == [("a", 1.0, 0), ("b", 1.0, 0), ("b", 2.0, 2)]
