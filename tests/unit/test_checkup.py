"""The doctor's questions about what has run: bad is named, and no secret is told."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.proving import environment
from tests.streams import ride_contract
from tests.unit.delta_log import Table
from tidemark.check_finding import Finding
from tidemark.checkup import examine_running
from tidemark.cli import services
from tidemark.ledger import Label
from tidemark.settings import Settings

pytestmark = pytest.mark.unit


def settings_in(home: Path, **changes: Any) -> Settings:
    """Give the settings of a home with one contract; nothing listens on its ports."""
    ride_contract(home / "contracts", "rides")
    own: dict[str, Any] = {"home": home, "contracts_dir": home / "contracts", "lake": "", "port_offset": 7000}
    return Settings(**own | changes)


def checked(settings: Settings) -> dict[str, Finding]:
    return {each.name: each for each in examine_running(settings)}


def landed(settings: Settings, end: int) -> None:
    """Write a ledger that ends at an offset."""
    path = Path(settings.table("bronze", "ride_events"))
    path.mkdir(parents=True)
    label = Label("ingest", "bronze_ride_events", 0, "one", "rides", "id", {0: (0, end)}, "1.0.0")
    Table(path).commit(metadata=label.to_json())


def taken(settings: Settings, end: int) -> None:
    """Write a checkpoint whose newest micro-batch ends at an offset."""
    checkpoint = settings.checkpoint("bronze_ride_events")
    for name in ("offsets", "commits"):
        (checkpoint / name).mkdir(parents=True)
    (checkpoint / "metadata").write_text('{"id": "one"}')
    (checkpoint / "offsets" / "0").write_text("v1\n{}\n" + json.dumps({"rides": {"0": end}}))
    (checkpoint / "commits" / "0").write_text("v1\n{}")


def test_a_home_that_nothing_ran_in_is_well(tmp_path: Path) -> None:
    found = checked(settings_in(tmp_path))
    assert len(found) == 9
    assert [each for each in found.values() if not each.is_ok] == []


def test_a_table_that_nobody_proves_is_named(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    landed(settings, 5)
    found = checked(settings)["Proofs"]
    assert (found.is_ok, found.fix) == (False, "tidemark prove ride_events")


@pytest.mark.parametrize(("end", "is_ok"), [(4, True), (5, True), (6, False)])
def test_a_checkpoint_beyond_its_ledger_is_bad(tmp_path: Path, end: int, is_ok: bool) -> None:
    settings = settings_in(tmp_path)
    landed(settings, 5)
    taken(settings, end)
    assert checked(settings)["Ledgers and checkpoints"].is_ok == is_ok


def test_the_newest_error_of_a_log_is_told_by_who_wrote_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.logs.mkdir()
    lines = ("2026-11-22 05:00:01,120 ERROR streaming.poison bad", "2026-11-22 05:00:02,120 INFO streaming.host fine")
    (settings.logs / "streams.log").write_text("\n".join(lines))
    found = checked(settings)["Errors in logs"].found
    assert found == "streams: 1, the last at 2026-11-22 05:00:01,120 by streaming.poison"


def test_settings_are_told_without_their_passwords(tmp_path: Path) -> None:
    found = checked(settings_in(tmp_path, redis_url="redis://me:pa55word@far:1/0"))["Settings"].found
    assert "TIDEMARK_REDIS_URL=redis://far:1/0" in found and "pa55word" not in found


def test_the_doctor_ends_in_a_verdict(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    landed(settings, 5)
    app = typer.Typer()
    services.register(app)
    answer = CliRunner().invoke(app, ["doctor", "--json"], env=environment(settings))
    told = json.loads(answer.stdout)
    assert (answer.exit_code, told["is_well"]) == (1, False)
    assert "Proofs" in told["verdict"] and len(told["checks"]) == 22
