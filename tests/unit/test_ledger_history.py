"""The ledger as a whole: where it begins and ends, and what in it does not fit together."""

import json
from pathlib import Path
from typing import Any

import pytest

from tidemark.ledger import Label, Ledger, Ranges
from tidemark.ledger_history import LedgerHistory

pytestmark = pytest.mark.unit


class Log:
    """A table's log, without the table."""

    def __init__(self, table: Path) -> None:
        self._folder = table / "_delta_log"
        self._folder.mkdir(parents=True)
        self.next = 0
        self.ledger = Ledger(str(table))

    def ingest(self, ranges: Ranges, rows: int | None = None, topic_id: str = "id") -> None:
        label = Label("ingest", "bronze_x", self.next, "check", "x", topic_id, ranges, "1.0.0")
        metrics = {} if rows is None else {"numOutputRows": str(rows)}
        self.commit(operation="WRITE", userMetadata=label.to_json(), operationMetrics=metrics)

    def commit(self, **info: Any) -> None:
        lines = [{"commitInfo": {"timestamp": 0, **info}}, {"add": {"path": "x", "dataChange": True}}]
        text = "\n".join(json.dumps(line, separators=(",", ":")) for line in lines)
        (self._folder / f"{self.next:020d}.json").write_text(text)
        self.next += 1

    def remove(self, version: int) -> None:
        (self._folder / f"{version:020d}.json").unlink()

    def history(self) -> LedgerHistory:
        history = LedgerHistory(self.ledger)
        history.follow()
        return history

    def retire(self, operation: str = "DELETE", topic_id: str = "id") -> None:
        ranges = {0: [(0, 4), (5, 9)]}
        label = Label("retire", "retire", 0, "run", "x", topic_id, {0: (0, 9)}, "1.0.0", ranges)
        self.commit(operation=operation, userMetadata=label.to_json())


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_a_ledger_without_commits_is_empty(log: Log) -> None:
    history = log.history()
    assert (history.version, history.newest, history.ends, history.notes(has_gaps=False)) == (-1, None, {}, [])


def test_it_begins_with_the_first_ingest_and_ends_with_the_last(log: Log) -> None:
    log.ingest({0: (5, 10)}, rows=5)
    log.ingest({0: (10, 12), 1: (0, 3)}, rows=5)
    history = log.history()
    assert (history.starts, history.ends) == ({0: 5, 1: 0}, {0: 12, 1: 3})
    assert (history.version, history.is_whole, history.notes(has_gaps=False)) == (1, True, [])


def test_it_follows_new_commits(log: Log) -> None:
    log.ingest({0: (0, 10)})
    history = log.history()
    log.remove(0)  # it is not read again
    log.ingest({0: (10, 20)})
    history.follow()
    assert (history.starts, history.ends, history.version) == ({0: 0}, {0: 20}, 1)


@pytest.mark.parametrize(("start", "what"), [(12, "a gap"), (9, "an overlap")])
def test_a_torn_ledger_is_noted(log: Log, start: int, what: str) -> None:
    log.ingest({0: (0, 10), 1: (0, 10)})
    log.ingest({0: (start, 20), 1: (10, 20)})
    assert log.history().notes(has_gaps=False) == [f"version 1: {what} in the ledger of partition 0: [10,{start})"]


def test_an_ingest_with_more_rows_than_offsets_is_noted_always_and_one_with_fewer_unless_there_are_gaps(
    log: Log,
) -> None:
    log.ingest({0: (0, 10)}, rows=11)
    log.ingest({0: (10, 20)}, rows=9)
    more, fewer = (f"version {at}: an ingest of 10 offsets has {rows} rows" for at, rows in ((0, 11), (1, 9)))
    assert log.history().notes(has_gaps=True) == [more]
    assert log.history().notes(has_gaps=False) == [more, fewer]


def test_a_change_without_a_label_is_noted(log: Log) -> None:
    log.commit(operation="DELETE")
    log.commit(operation="OPTIMIZE")
    assert log.history().notes(has_gaps=False) == ["version 0: DELETE changed data without a label"]


def test_an_optimize_with_a_leaked_label_moves_nothing(log: Log) -> None:
    log.ingest({0: (0, 10)})
    label = Label("ingest", "bronze_x", 9, "check", "x", "id", {0: (0, 99)}, "1.0.0")
    log.commit(operation="OPTIMIZE", userMetadata=label.to_json())
    assert log.history().ends == {0: 10}


def test_another_topic_begins_anew(log: Log) -> None:
    log.ingest({0: (0, 10)})
    log.ingest({0: (0, 4)}, topic_id="new")
    history = log.history()
    assert (history.starts, history.ends) == ({0: 0}, {0: 4})
    assert history.notes(has_gaps=False) == ["version 1: the topic's id changes from id"]


def test_a_log_with_a_hole_is_not_whole(log: Log) -> None:
    for number in range(3):
        log.ingest({0: (number, number + 1)})
    log.remove(1)
    assert not log.history().is_whole


def test_many_notes_are_cut_short(log: Log) -> None:
    for _ in range(130):
        log.commit(operation="DELETE")
    notes = log.history().notes(has_gaps=False)
    assert len(notes) == 101 and notes[-1] == "… and 30 more like the last"


def test_what_was_retired_is_known_exactly(log: Log) -> None:
    log.ingest({0: (0, 20)})
    log.retire()
    history = log.history()
    assert (history.retired, history.ends, history.notes(has_gaps=False)) == ({0: [(0, 4), (5, 9)]}, {0: 20}, [])


def test_a_label_that_leaked_or_is_of_another_topic_retires_nothing(log: Log) -> None:
    log.ingest({0: (0, 20)})
    log.retire(operation="OPTIMIZE")
    log.retire(topic_id="another")
    assert log.history().retired == {}
    log.retire()
    log.ingest({0: (0, 20)}, topic_id="new")
    assert log.history().retired == {}


def test_commits_that_the_log_no_longer_has_are_taken_from_their_copy(log: Log) -> None:
    for number in range(4):
        log.ingest({0: (number, number + 1)}, rows=1)
    older = list(log.ledger.commits())
    for version in (0, 1, 2):
        log.remove(version)
    history = LedgerHistory(log.ledger, lambda first, last: older[first:last])
    history.follow()
    assert (history.is_whole, history.starts, history.ends) == (True, {0: 0}, {0: 4})
