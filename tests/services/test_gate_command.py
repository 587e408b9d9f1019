"""`tidemark gate`: a process with an exit code, a report and one site for all gates."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from expectations import gate
from tests.gated import BRONZE, clean_rides, ride, write_bronze, write_rides
from tests.kafka import free_ports
from tests.warehouse import Warehouse
from tidemark.gate_verdicts import verdicts_since
from tidemark.services import settings_environment
from tidemark.settings import Settings
from tidemark.table_looks import table_looks

pytest_plugins = ("tests.warehouse",)
pytestmark = pytest.mark.services


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def run(settings: Settings, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start `tidemark gate`."""
    command = [str(Path(sys.executable).with_name("tidemark")), "gate", *arguments]
    own = os.environ | settings_environment(settings) | environment
    return subprocess.Popen(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def done(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def test_gates_at_once_on_a_warehouse_leave_a_whole_site(warehouse: Warehouse) -> None:
    settings = warehouse.settings
    write_bronze(settings, "ride_events", clean_rides())
    write_rides(settings, [ride(1), ride(1)])
    runs = [run(settings, name, "--json") for name in (BRONZE, "silver.stg_rides")]
    results = [done(process) for process in runs]
    assert [code for code, _, _ in results] == [0, 1], [errors for _, _, errors in results]
    verdicts = [json.loads(output) for _, output, _ in results]
    assert [verdict["verdict"] for verdict in verdicts] == ["pass", "fail"]
    told = {"table", "version", "verdict", "suite", "contract_version", "window", "checks", "report", "seconds"}
    assert set(verdicts[0]) == told
    kept = verdicts_since(settings, datetime.now(UTC) - timedelta(minutes=10))
    assert {name: [each.verdict for each in found] for name, found in kept.items()} == {
        BRONZE: ["pass"],
        "silver.stg_rides": ["fail"],
    }
    assert {each.gate for each in table_looks(settings, datetime.now(UTC)) if each.gate} == {"pass", "fail"}
    index = (settings.home / "docs" / "quality" / "index.html").read_text()
    for verdict in verdicts:
        report = Path(verdict["report"].removeprefix("file://"))
        assert report.is_file()
        assert report.parent.name in index


def test_without_a_warehouse_a_gate_starts_a_driver_and_says_what_failed(settings: Settings) -> None:
    write_bronze(settings, "ride_events", [*clean_rides(), ride(99, amount=-4.5)])
    code, output, errors = done(run(settings, BRONZE))
    assert code == 1, errors
    assert "fail: bronze.ride_events version 0: range(amount) [expect_column_values_to_be_between]" in output
    assert "range(amount): _topic ride_events, _partition 0, _offset 99" in output
    assert "report: file:///" in output
    assert "http" not in output


def test_without_any_spark_a_gate_could_not_run(settings: Settings) -> None:
    write_bronze(settings, "ride_events", clean_rides())
    code, output, errors = done(run(settings, BRONZE, JAVA_HOME="/nowhere", PATH=""))
    assert (code, output) == (2, ""), errors
    assert "there is no Spark to run on" in errors
    assert "fix: start the warehouse" in errors


def test_warehouse_that_does_not_answer_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bronze(Settings(home=tmp_path), "ride_events", clean_rides())
    (port,) = free_ports(1)
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path))
    monkeypatch.setenv("TIDEMARK_SPARK_REMOTE", f"sc://127.0.0.1:{port}/;user_id=test")
    monkeypatch.setattr(sys, "argv", ["gate", BRONZE])
    with pytest.raises(SystemExit) as stopped:
        gate.main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert f"no Spark answers at sc://127.0.0.1:{port}/;user_id=test (TIDEMARK_SPARK_REMOTE): [Errno 111]" in said
    assert "unset TIDEMARK_SPARK_REMOTE" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (BRONZE, "bronze.ride_events: there is no table at"),
        ("bronze.nothing", "bronze.nothing: no such table has a gate"),
        ("ride_events", "name one of bronze."),
    ],
)
def test_missing_table_fails_and_says_so(
    tmp_path: Path, name: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["gate", name])
    with pytest.raises(SystemExit) as stopped:
        gate.main()
    assert stopped.value.code == 1
    assert said in capsys.readouterr().err


def test_wrong_setting_is_no_verdict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TIDEMARK_LOG_LEVEL", "LOUD")
    monkeypatch.setattr(sys, "argv", ["gate", BRONZE])
    with pytest.raises(SystemExit) as stopped:
        gate.main()
    assert stopped.value.code == 2
    assert "TIDEMARK_LOG_LEVEL" in capsys.readouterr().err
