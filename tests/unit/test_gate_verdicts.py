"""What a gate judges and what it leaves behind: pinned versions, settled rows, the ledger's count, kept verdicts."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from expectations import gate
from expectations.pinned import committed_before, pinned
from expectations.suites import gated_table
from expectations.suites.gated import GatedTable
from tests.gated import BRONZE, clean_rides, ride, write_bronze, write_rides
from tests.trusted import verdict_of
from tidemark.certificates import Origin, PartitionMark, Tidemark, write_tidemark
from tidemark.contracts import read_contracts
from tidemark.gate_verdicts import keep_verdict, verdicts_since
from tidemark.ledger import Commit, Label, Ledger
from tidemark.ledger_rows import LedgerRows, added_up
from tidemark.settings import Settings

pytestmark = pytest.mark.unit

NOW = datetime(2026, 5, 14, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def rides_table(settings: Settings) -> GatedTable:
    return gated_table("bronze", "ride_events", read_contracts(settings.contracts_dir))


def prove(settings: Settings, version: int, verdict: str = "proven") -> None:
    """Leave behind what a proof of a version leaves behind."""
    origin = Origin("certificate", "ride_events", "ride_events", "id", version, NOW)
    write_tidemark(settings, Tidemark(origin, verdict, [PartitionMark(0, 20, NOW), PartitionMark(1, 5, NOW)]))


# --- what is judged


def test_a_table_that_was_never_proven_is_judged_whole_and_at_its_newest_version(settings: Settings) -> None:
    for _ in range(2):
        write_bronze(settings, "ride_events", clean_rides())
    pin = pinned(settings, rides_table(settings))
    assert (pin.version.version, pin.settled, pin.window, pin.defects) == (1, "true", {}, ())


def test_a_proven_table_is_judged_as_dbt_reads_it(settings: Settings) -> None:
    for _ in range(2):
        write_bronze(settings, "ride_events", clean_rides())
    prove(settings, 0)
    pin = pinned(settings, rides_table(settings))
    assert (pin.version.version, pin.defects) == (0, ())
    below = "((_partition = 0 AND _offset < 20) OR (_partition = 1 AND _offset < 5))"
    assert pin.settled == f"(_topic LIKE 'export:%' OR (_topic = 'ride_events' AND {below}))"
    assert pin.window["certificate_id"] == "certificate"
    assert "0: 20, 1: 5, complete through 2026-05-14T12:00:00" in pin.words


def test_a_broken_proof_fails_whatever_the_rows_are(settings: Settings) -> None:
    write_bronze(settings, "ride_events", clean_rides())
    prove(settings, 0, "broken")
    assert [what for what, _ in pinned(settings, rides_table(settings)).defects] == ["proof"]


def test_a_version_that_nothing_after_was_proven_of_for_days_is_stale(settings: Settings) -> None:
    for _ in range(3):
        write_bronze(settings, "ride_events", clean_rides())
    prove(settings, 0)
    log = Path(settings.table("bronze", "ride_events")) / "_delta_log"
    for version, hours in ((1, 49), (2, 0)):
        path = log / f"{version:020d}.json"
        at = round((datetime.now(UTC) - timedelta(hours=hours)).timestamp() * 1000)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            if "commitInfo" in line:
                line["commitInfo"]["timestamp"] = at
        path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    ((what, why),) = pinned(settings, rides_table(settings)).defects
    assert (what, why) == ("version", "version 0 is stale: for 49 hours up to 2 nothing was proven")


def test_a_proof_of_another_table_is_none_of_this_one(settings: Settings) -> None:
    write_bronze(settings, "ride_events", clean_rides())
    prove(settings, 7)
    pin = pinned(settings, rides_table(settings))
    assert pin.version.version == 0
    assert "which the table does not have" in pin.defects[0][1]


def test_another_table_is_read_as_it_was_at_the_commit(settings: Settings) -> None:
    for number in range(3):
        write_rides(settings, [ride(number)])
    times = [commit.committed_at for commit in Ledger(settings.table("silver", "stg_rides")).commits()]
    assert committed_before(settings, "silver.stg_rides", times[1]) == max(
        version for version, at in enumerate(times) if at <= times[1]
    )
    assert committed_before(settings, "silver.stg_rides", times[0] - 1) == 0
    assert committed_before(settings, "silver.nothing", times[0]) is None


# --- how many rows there should be


def commit(version: int, rows: int | None, start: int, end: int, kind: str = "ingest") -> Commit:
    spans = {0: [(start, end)]} if kind == "retire" else {}
    label = Label(kind, "q", 0, "c", "t", "id", {0: (start, end)}, "1.0.0", spans)  # type: ignore[arg-type]
    return Commit(version, "DELETE" if kind == "retire" else "WRITE", 0, True, rows, label)


def test_the_ledger_adds_up_to_bounds() -> None:
    commits = [commit(0, 10, 0, 10), commit(1, 7, 10, 20), commit(2, None, 20, 25), commit(3, 99, 3, 4, "repair")]
    assert added_up(commits, 3) == LedgerRows(least=22, most=25)
    assert added_up([*commits, commit(4, None, 0, 10, "retire")], 4) == LedgerRows(least=12, most=15)


def test_a_ledger_that_lacks_a_commit_says_nothing() -> None:
    assert added_up([commit(0, 10, 0, 10), commit(2, 10, 10, 20)], 2) is None
    assert added_up([commit(0, 10, 0, 10)], 1) is None
    assert added_up([], 0) is None


# --- what is left behind


def test_verdicts_are_kept_and_read_back_the_oldest_first(settings: Settings) -> None:
    kept = [
        verdict_of(BRONZE, NOW + timedelta(hours=hour), hour, "pass", window={"below": {"0": 3}}) for hour in (2, 1, 0)
    ]
    for each in kept:
        keep_verdict(settings, each)
    found = verdicts_since(settings, NOW + timedelta(minutes=30))
    assert found == {BRONZE: [kept[1], kept[0]]}


def test_a_dry_run_shows_what_would_be_judged_and_writes_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bronze(settings, "ride_events", clean_rides())
    before = sorted(settings.home.rglob("*"))
    monkeypatch.setenv("TIDEMARK_HOME", str(settings.home))
    for words in (["--dry-run"], ["--dry-run", "--json"]):
        monkeypatch.setattr(sys, "argv", ["gate", BRONZE, *words])
        with pytest.raises(SystemExit) as stopped:
            gate.main()
        assert stopped.value.code == 0
    shown, _, told = capsys.readouterr().out.rpartition('{"table"')
    plan = json.loads('{"table"' + told)
    assert "bronze.ride_events, version 0: what would be judged" in shown
    assert "of all rows" in shown
    assert {"check": "range(amount)", "severity": "fail", "columns": ["amount"]} in plan["checks"]
    assert sorted(settings.home.rglob("*")) == before
