"""A profile proposes what a contract could say, in words that a contract takes."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tests.gated import quarantined, ride, write_bronze, write_silver
from tidemark.cli import command_line
from tidemark.contracts import read_contract, read_contracts
from tidemark.profile import profile_of
from tidemark.settings import Settings

pytestmark = pytest.mark.unit

HEAD = """
id: parcels
owner: shipping
description: Parcels.
topic: parcels
format: json
key: [event_id]
eventTime: event_time
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def rides(settings: Settings) -> None:
    rows = [
        ride(
            number,
            event_id=f"E-{number:04d}",
            event_type=("paid", "started")[number % 2],
            user_id="u" * (1 + number % 9),
        )
        for number in range(100)
    ]
    rows[7]["amount"] = 31.0
    write_bronze(settings, "ride_events", [*rows, quarantined(100)])


def test_limits_follow_from_what_good_rows_have(settings: Settings) -> None:
    rides(settings)
    found = {column.pop("name"): column for column in profile_of(settings, "bronze.ride_events", None).columns}
    assert found == {
        "event_id": {"logicalType": "string", "required": True, "pattern": r"[A-Z]\-[0-9]{4}"},
        "user_id": {"logicalType": "string", "required": True, "maxLength": 18},
        "event_type": {"logicalType": "string", "required": True, "enum": ["paid", "started"]},
        "amount": {"logicalType": "number", "required": True, "minimum": 0, "maximum": 62.0},
        "event_time": {"logicalType": "timestamp", "required": True},
    }


def test_the_command_prints_what_a_contract_takes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rides(settings)
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path))
    printed = CliRunner().invoke(command_line(), ["profile", "bronze.ride_events"])
    assert printed.exit_code == 0, printed.output
    assert printed.stdout.startswith("# Proposed from 100 rows of bronze.ride_events, version 0")
    (tmp_path / "parcels.yaml").write_text(HEAD + printed.stdout)
    contract = read_contract(tmp_path / "parcels.yaml")
    assert [check.metric for check in contract.quality] == ["nullValues", "duplicateValues", "rowCount"]
    assert contract.by_name["event_type"].enum == ("paid", "started")


def test_a_share_of_nulls_is_bounded_with_some_slack(settings: Settings) -> None:
    write_bronze(settings, "ride_events", [ride(number, user_id=None if number < 6 else "u") for number in range(60)])
    quality = profile_of(settings, "bronze.ride_events", None).quality
    bounds = {
        tuple(check["columns"]): check.get("mustBeLessThan") for check in quality if check["metric"] == "nullValues"
    }
    assert bounds[("user_id",)] == 20
    assert "user_id" not in next(iter(bounds))


def test_no_value_of_a_personal_column_is_shown(settings: Settings) -> None:
    contract = read_contracts(settings.contracts_dir)["page_views"]
    rows = [ride(1, view_id=str(number), visitor_id="Erna", page="/", referrer=None) for number in range(100)]
    write_silver(settings, "stg_page_views", "page_views", rows)
    shown = profile_of(settings, "silver.stg_page_views", contract).to_yaml()
    assert "Erna" not in shown
    assert {"name": "visitor_id", "logicalType": "string", "required": True, "pii": True} in yaml.safe_load(shown)[
        "schema"
    ]


@pytest.mark.parametrize(
    ("table", "said"), [("bronze.nothing", "there is no table at"), ("bronze.ride_events", "no row")]
)
def test_without_rows_there_is_nothing_to_propose(
    settings: Settings, table: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bronze(settings, "ride_events", [quarantined(1)])
    monkeypatch.setenv("TIDEMARK_HOME", str(settings.home))
    assert said in str(CliRunner().invoke(command_line(), ["profile", table]).exception)
