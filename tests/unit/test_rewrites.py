"""A compaction is neutral when the files that it wrote hold what those held whose place they took."""

from datetime import date
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from streaming.batch.compact import refuse_change
from tidemark.ledger import Ledger
from tidemark.maintenance import NotNeutral
from tidemark.rewrites import rewrites_of

pytestmark = pytest.mark.unit

MARK = "this run"
DAYS = (date(2025, 1, 1), date(2025, 1, 2))
CITIES = dict(zip(DAYS, ("Bern", "Basel"), strict=True))


@pytest.fixture
def compacted(tmp_path: Path) -> str:
    """Make a table whose two days were compacted in one marked commit, after one without a mark."""
    for turn in range(4):
        rows = [{"_offset": turn, "city": CITIES[day], "_ingest_date": day} for day in DAYS]
        schema = pa.schema([("_offset", pa.int64()), ("city", pa.string()), ("_ingest_date", pa.date32())])
        table = pa.Table.from_pylist(rows, schema=schema)
        write_deltalake(tmp_path, table, mode="append", partition_by=["_ingest_date"])
    DeltaTable(tmp_path).optimize.compact(commit_properties=CommitProperties(custom_metadata={"userMetadata": MARK}))
    return str(tmp_path)


def change(table: str, day: date, column: str, value: object) -> None:
    """Change a value in the file that the compaction wrote, behind Delta's back."""
    version = Ledger(table).latest_version()
    (path,) = (
        Path(table) / unquote(action["add"]["path"])
        for action in Ledger(table).actions(version)
        if "add" in action and action["add"]["partitionValues"]["_ingest_date"] == str(day)
    )
    rows = pq.read_table(path, partitioning=None).to_pylist()
    rows[0][column] = value
    pq.write_table(pa.Table.from_pylist(rows), path)


def test_a_compaction_that_changes_nothing_is_neutral(compacted: str) -> None:
    (rewrite,) = rewrites_of(compacted, MARK, since=-1)
    assert (rewrite.is_neutral, rewrite.rows, rewrite.version) == (True, 8, 4)
    assert refuse_change(compacted, MARK, since=-1) == 8


@pytest.mark.parametrize(("column", "value"), [("city", "Bern"), ("_offset", 9)])
def test_a_compaction_that_changes_one_value_is_refused(compacted: str, column: str, value: object) -> None:
    change(compacted, DAYS[1], column, value)
    with pytest.raises(NotNeutral, match="version 4 compacted 8 rows"):
        refuse_change(compacted, MARK, since=-1)


def test_rows_that_changed_places_between_days_are_seen(compacted: str) -> None:
    change(compacted, DAYS[0], "city", CITIES[DAYS[1]])
    change(compacted, DAYS[1], "city", CITIES[DAYS[0]])
    (rewrite,) = rewrites_of(compacted, MARK, since=-1)
    assert not rewrite.is_neutral


def test_only_the_commits_of_the_run_are_looked_at(compacted: str) -> None:
    assert list(rewrites_of(compacted, "another run", since=-1)) == []
    assert list(rewrites_of(compacted, MARK, since=4)) == []
