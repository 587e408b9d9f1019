"""The ledger: what it reads from commits as Delta writes them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.delta_log import Table
from tidemark.ledger import Label, Ledger, count, ends, read_commit

pytestmark = pytest.mark.unit


def label(batch: int = 0, start: int = 0, end: int = 10, **changes: Any) -> Label:
    made = Label("ingest", "bronze_rides", batch, "cp", "rides", "abc", {0: (start, end)}, "1.0.0")
    return replace(made, **changes)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def test_a_label_is_read_as_it_was_written() -> None:
    written = label(7, ranges={0: (3, 9), 11: (0, 2**62)}, kind="repair")
    assert Label.from_json(written.to_json()) == written
    assert json.loads(written.to_json())["ranges"] == {"rides": {"0": [3, 9], "11": [0, 2**62]}}


def test_a_label_keeps_exactly_what_was_retired() -> None:
    written = label(ranges={0: (3, 9)}, kind="retire", retired={0: [(3, 5), (7, 9)]})
    assert Label.from_json(written.to_json()) == written
    assert "retired" not in json.loads(label().to_json())


def test_a_label_without_ranges_is_read_as_it_was_written() -> None:
    assert Label.from_json(label(ranges={}).to_json()) == label(ranges={})


def test_a_commit_that_lost_a_race_says_so(table: Table) -> None:
    read_versions = (None, 0, 0, 2)  # of the table when each writer began, as Delta notes it
    for version, read in enumerate(read_versions):
        noted = {} if read is None else {"readVersion": read}
        table.write(version, {"commitInfo": {"operation": "WRITE", "timestamp": version, **noted}})
    assert [commit.was_tried_again for commit in table.ledger.commits()] == [False, False, True, False]


def altered(**changes: Any) -> str:
    return json.dumps(json.loads(label().to_json()) | changes)


FOREIGN = [
    *(
        "",
        "nightly job",
        "5",
        "null",
        "[]",
        "{}",
        '"text"',
        '{"kind":"ingest"}',
        altered(ranges=None),
        altered(ranges=[]),
    ),
    *(altered(ranges={}), altered(ranges={"a": {}, "b": {}}), altered(ranges={"a": {"x": [0, 1]}})),
    *(altered(ranges={"a": {"0": [0]}}), altered(ranges={"a": {"0": 5}}), altered(ranges={"a": 5}), altered(batch="x")),
]


@pytest.mark.parametrize("text", FOREIGN)
def test_metadata_that_is_none_of_ours_is_no_label(table: Table, text: str) -> None:
    table.commit(metadata=text)
    assert Label.from_json(text) is None
    assert table.only().label is None
    assert table.only().is_unlabelled


def test_a_commit_is_read_with_its_label_rows_and_time(table: Table) -> None:
    table.commit(metadata=label().to_json())
    commit = table.only()
    assert (commit.version, commit.operation, commit.committed_at) == (0, "WRITE", 1_750_000_000_000)
    assert (commit.rows, commit.changes_data, commit.label, commit.ingests) == (10, True, label(), label())
    assert commit.metrics["numFiles"] == "1"
    assert not commit.is_unlabelled


def test_a_commit_without_metrics_has_no_row_count(table: Table) -> None:
    table.commit(rows=None)
    assert table.only().rows is None


def test_a_commit_without_a_word_of_itself_is_unlabelled(table: Table) -> None:
    table.write(0, {"add": {"path": "a", "dataChange": True}})
    assert (table.only().operation, table.only().label, table.only().committed_at) == ("", None, 0)
    assert table.only().is_unlabelled


def test_a_removal_without_a_label_is_a_data_change_without_a_label(table: Table) -> None:
    table.write(0, {"commitInfo": {"operation": "DELETE"}}, {"remove": {"path": "a", "dataChange": True}})
    assert table.only().is_unlabelled


def test_a_data_change_is_seen_however_its_json_is_spaced(table: Table) -> None:
    action = json.dumps({"remove": {"path": "a", "dataChange": True}}, indent=None, separators=(", ", " : "))
    (table.log / f"{0:020d}.json").write_text(action)
    assert table.only().is_unlabelled


@pytest.mark.parametrize("operation", ["OPTIMIZE", "CREATE TABLE", "SET TBLPROPERTIES", "ADD COLUMNS", "VACUUM END"])
def test_an_operation_of_delta_itself_needs_no_label(table: Table, operation: str) -> None:
    table.commit(operation, data=False)
    assert not table.only().is_unlabelled


def test_a_commit_that_changes_no_data_needs_no_label(table: Table) -> None:
    table.commit("WRITE", data=False)
    assert not table.only().is_unlabelled


@pytest.mark.parametrize("operation", ["OPTIMIZE", "ADD COLUMNS", "MERGE", "DELETE"])
def test_a_label_that_leaked_into_another_operation_is_no_ingest(table: Table, operation: str) -> None:
    table.commit(operation, label().to_json())
    assert table.only().label == label()
    assert table.only().ingests is None
    assert table.ledger.newest_ingest() is None


@pytest.mark.parametrize("kind", ["repair", "replay", "backfill", "retire", "rewrite"])
def test_a_write_of_another_kind_is_no_ingest(table: Table, kind: str) -> None:
    table.commit("WRITE", label(kind=kind).to_json())
    assert table.only().ingests is None
    assert not table.only().is_unlabelled


def test_the_newest_ingest_is_found_behind_other_commits(table: Table) -> None:
    table.commit(metadata=label(0, 0, 10).to_json())
    newest = table.commit(metadata=label(1, 10, 30).to_json())
    table.commit("OPTIMIZE", label(1, 10, 30).to_json(), data=False)
    table.commit("WRITE", label(kind="repair").to_json())
    table.commit("WRITE", "nightly job")
    found = table.ledger.newest_ingest()
    assert found is not None
    assert (found.version, found.ingests) == (newest, label(1, 10, 30))


def test_the_newest_ingest_at_an_older_version_is_found(table: Table) -> None:
    for batch in range(4):
        table.commit(metadata=label(batch).to_json())
    found = table.ledger.newest_ingest(last=2)
    assert found is not None
    assert found.version == 2


def test_a_log_whose_oldest_commits_were_cleaned_is_read(table: Table) -> None:
    for batch in range(4):
        table.commit(metadata=label(batch).to_json())
    for version in (0, 1):
        (table.log / f"{version:020d}.json").unlink()
    assert [commit.version for commit in table.ledger.commits()] == [2, 3]
    (table.log / f"{3:020d}.json").unlink()
    (table.log / f"{2:020d}.json").unlink()
    assert table.ledger.newest_ingest(last=3) is None


def test_commits_are_read_from_one_version_to_another(table: Table) -> None:
    for _ in range(12):
        table.commit()
    assert [commit.version for commit in table.ledger.commits()] == list(range(12))
    assert [commit.version for commit in table.ledger.commits(9)] == [9, 10, 11]
    assert [commit.version for commit in table.ledger.commits(3, 5)] == [3, 4, 5]


def test_the_latest_version_is_found_from_none_and_from_a_known_one(table: Table) -> None:
    assert table.ledger.latest_version() == -1
    for _ in range(3):
        table.commit()
    assert table.ledger.latest_version() == 2
    assert table.ledger.latest_version(known=0) == 2
    assert table.ledger.latest_version(known=2) == 2
    table.commit()
    assert table.ledger.latest_version(known=2) == 3


def test_other_files_of_the_log_are_no_versions(table: Table) -> None:
    table.commit()
    for name in (
        *("_last_checkpoint", f"{0:020d}.crc", f"{0:020d}.checkpoint.parquet", f".{1:020d}.json.x.tmp"),
        *(f"{0:020d}.checkpoint.5f7a.json", f"{0:020d}.{0:020d}.compacted.json"),
    ):
        (table.log / name).write_text("{}")
    assert table.ledger.latest_version() == 0
    assert len(list(table.ledger.commits())) == 1


def test_a_table_exists_with_its_first_commit(tmp_path: Path) -> None:
    assert not Ledger(str(tmp_path / "none")).exists()
    table = Table(tmp_path)
    assert not table.ledger.exists()
    assert table.ledger.newest_ingest() is None
    table.commit()
    assert table.ledger.exists()


def test_a_commit_of_many_files_is_read_once_for_all(table: Table) -> None:
    adds = [{"add": {"path": f"{number}", "dataChange": True}} for number in range(2000)]
    table.write(0, *adds, {"commitInfo": {"operation": "WRITE", "userMetadata": label().to_json()}})
    assert read_commit(0, table.log / f"{0:020d}.json").ingests == label()


def test_ranges_have_ends_and_a_count() -> None:
    assert ends({0: (3, 9), 2: (5, 5)}) == {0: 9, 2: 5}
    assert count({0: (3, 9), 2: (5, 5)}) == 6
    assert count({}) == 0
