"""Incidents: what a look finds wrong, and what `ops.incidents` remembers of it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tidemark.incidents import (
    Finding,
    contract_findings,
    mended,
    open_incidents,
    poison_findings,
    process_findings,
    remember,
    stream_findings,
)
from tidemark.ops_tables import INCIDENTS
from tidemark.poisoned import Poisoned, keep_poisoned
from tidemark.settings import ROOT, Settings
from tidemark.stream_looks import ProcessLook, StreamLook, checkpoint_positions, lag_of, process_look
from tidemark.supervisor import Process
from tidemark.table_looks import ContractLook
from tidemark.topics import Bounds
from tidemark.watch import Look, findings

pytestmark = pytest.mark.unit

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
SETTINGS = Settings()
GOOD = StreamLook("rides", "running", 5, 10.0, None, NOW, 0, None, 5, NOW - timedelta(minutes=5))
PROVEN = ContractLook("rides", NOW, "proven", NOW, None, 100, 1)


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


def kinds(found: Iterable[Finding]) -> list[str]:
    found = list(found)
    assert all((ROOT / each.runbook).exists() for each in found)
    return [each.kind for each in found]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"lag": 7, "waiting_since": ago(seconds=119)}, []),
        ({"lag": 7, "waiting_since": ago(seconds=121)}, ["stuck"]),
        ({"restarts": 7}, []),
        ({"restarts": 8, "state": "waiting"}, ["restarting"]),
        ({"state": "refused"}, ["refused"]),
        ({"state": "stopped"}, ["stopped"]),
    ],
)
def test_a_stream_is_judged(changes: dict[str, object], found: list[str]) -> None:
    assert kinds(stream_findings(replace(GOOD, **changes), SETTINGS, NOW)) == found  # type: ignore[arg-type]


def test_a_slow_trigger_gives_a_stream_more_time() -> None:
    waits = replace(GOOD, lag=7, waiting_since=ago(minutes=5))
    assert kinds(stream_findings(waits, Settings(batch_interval_ms=120_000), NOW)) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"unproven_since": ago(hours=25)}, []),
        ({"unproven_since": ago(hours=27)}, ["tidemark_stalled"]),
        ({"verdict": "broken"}, ["tidemark_stalled"]),
    ],
)
def test_a_tables_proof_is_judged(changes: dict[str, object], found: list[str]) -> None:
    assert kinds(contract_findings(replace(PROVEN, **changes), NOW)) == found  # type: ignore[arg-type]


def supervised(state: str, age: timedelta, pid: int = 1) -> Process:
    return Process(state, pid, (NOW - age).timestamp())


HOUR = timedelta(hours=1)
SILENT_LONG = ProcessLook("starting", ago(minutes=1), ago(minutes=10))


@pytest.mark.parametrize(
    ("answers", "process", "before", "state"),
    [
        (True, None, None, "running"),
        (False, None, None, "stopped"),
        (False, supervised("STOPPED", HOUR, 0), None, "stopped"),
        (False, supervised("RUNNING", timedelta(minutes=1)), None, "starting"),
        (False, supervised("RUNNING", HOUR), None, "silent"),
        (False, supervised("EXITED", timedelta(seconds=9), 0), None, "silent"),
        (False, supervised("RUNNING", timedelta(seconds=9)), SILENT_LONG, "silent"),  # it ends as soon as it is started
    ],
)
def test_the_process_is_judged(answers: bool, process: Process | None, before: ProcessLook | None, state: str) -> None:
    look = process_look(answers, process, before, NOW)
    assert look.state == state
    assert kinds(process_findings(look, NOW)) == [f"process_{state}"] * (state in ("stopped", "silent"))


def test_nothing_is_said_of_streams_that_have_just_begun_but_what_they_refuse() -> None:
    streams = [replace(GOOD, lag=7, waiting_since=ago(hours=1)), replace(GOOD, state="refused")]
    young, old = (ProcessLook("running", ago(minutes=minutes), None) for minutes in (2, 4))
    assert kinds(findings(Look(NOW, young, streams, [], [], []), SETTINGS)) == ["refused"]
    assert kinds(findings(Look(NOW, old, streams, [], [], []), SETTINGS)) == ["stuck", "refused"]


def test_streams_with_poisoned_records_are_told_for_a_day(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    who, error = ("rides", "bronze_rides", "rides", "id", 0), ("java.lang.StackOverflowError", "deep", "at Pattern")
    assert kinds(poison_findings(settings, NOW)) == []
    keep_poisoned(settings, [Poisoned(*who, hours, ago(hours=hours), *error) for hours in (2, 3, 25)])
    (finding,) = poison_findings(settings, NOW)
    assert (finding.kind, finding.stream, finding.since) == ("poisoned", "bronze_rides", ago(hours=3))
    assert finding.what.startswith("2 records") and (ROOT / finding.runbook).exists()
    assert kinds(poison_findings(settings, NOW + timedelta(hours=23))) == []


def test_lag_counts_what_kafka_still_has_beyond_the_last_committed_micro_batch(tmp_path: Path) -> None:
    for folder, number, rides in (("commits", 9, 0), ("offsets", 9, 30), ("offsets", 10, 99)):
        (tmp_path / folder).mkdir(exist_ok=True)
        offsets = f'{{"rides":{{"0":{rides},"1":5}}}}\n-\n{{"rides":{{"0":40,"1":4}}}}'
        (tmp_path / folder / str(number)).write_text(f"v1\n{{}}\n{offsets}\n")
    taken = checkpoint_positions(tmp_path)
    assert taken == {"rides": {0: 30, 1: 4}}
    ends = {"rides": {0: Bounds(0, 33, 40), 1: Bounds(10, 12, 12), 2: Bounds(0, 1, 1)}}
    assert lag_of(taken, ends) == 3 + 2 + 1
    assert lag_of({}, ends) is None


def test_a_finding_is_one_incident_until_it_is_over(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    stuck, refused = (Finding(kind, "rides", NOW, "it is", "docs/x.md") for kind in ("stuck", "refused"))  # type: ignore[arg-type]
    (first,) = remember(settings, [stuck], NOW)
    again = remember(settings, [stuck, refused], NOW + timedelta(minutes=5))
    assert [each.incident_id == first.incident_id for each in again] == [False, True]
    mended(settings, [first], NOW + timedelta(minutes=6))
    assert len(remember(settings, [], NOW + timedelta(minutes=7), may_close=False)) == 2
    (left,) = remember(settings, [refused], NOW + timedelta(minutes=10))
    assert [left] == open_incidents(settings) and left.kind == "refused"
    rows = sorted(
        DeltaTable(settings.table("ops", INCIDENTS)).to_pyarrow_table().to_pylist(), key=lambda row: row["kind"]
    )
    assert [(row["kind"], row["opened_at"], row["mended_at"], row["closed_at"]) for row in rows] == [
        ("refused", NOW + timedelta(minutes=5), None, None),
        ("stuck", NOW, NOW + timedelta(minutes=6), NOW + timedelta(minutes=10)),
    ]
    assert remember(settings, [stuck, refused], NOW + timedelta(minutes=15))[0].incident_id != first.incident_id
