"""Upkeep of the tables behind bronze: what goes, what stays, and who is waited for."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from typer.testing import CliRunner

from tests.unit.delta_log import age_removals
from tidemark.cli import command_line
from tidemark.layer_upkeep import CROWDED, Kept, Layer, maintain_layer
from tidemark.ops_tables import MODEL_BUILDS, append
from tidemark.settings import Settings

pytestmark = pytest.mark.unit

DAY = timedelta(days=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


class Table:
    """A table whose one file was replaced twice: some days ago, and just now."""

    def __init__(self, settings: Settings, table: str, days: float) -> None:
        self.path = Path(settings.table(*table.split(".")))
        for number in range(2):
            self.write(number)
        moment = datetime.now(UTC) - days * DAY
        for file in self.files():
            os.utime(file, (moment.timestamp(), moment.timestamp()))
        for commit in (self.path / "_delta_log").glob("*.json"):
            age_removals(commit, days * DAY)
        self.write(2)

    def write(self, number: int) -> None:
        write_deltalake(self.path, pa.table({"n": [number]}), mode="overwrite")

    def files(self) -> list[Path]:
        return sorted(self.path.glob("*.parquet"))

    def numbers(self) -> list[int]:
        return sorted(DeltaTable(self.path).to_pyarrow_table()["n"].to_pylist())


def kept(settings: Settings, layer: str, dry_run: bool = False) -> dict[str, Kept]:
    return {each.table: each for each in maintain_layer(settings, Layer(layer), dry_run)}


@pytest.mark.parametrize(("layer", "days"), [("speed", 1), ("silver", 7), ("gold", 7), ("ops", 7)])
def test_a_file_goes_when_its_layers_time_is_up_and_not_before(settings: Settings, layer: str, days: float) -> None:
    old, young = (Table(settings, f"{layer}.{name}", days + more) for name, more in (("old", 0.5), ("young", -0.5)))
    assert {name: each.files_removed for name, each in kept(settings, layer).items()} == {
        f"{layer}.old": 1,
        f"{layer}.young": 0,
    }
    assert (len(old.files()), len(young.files())) == (2, 3)  # what was replaced just now stays
    assert old.numbers() == young.numbers() == [2]
    assert {each.files_removed for each in kept(settings, layer).values()} == {0}


@pytest.mark.parametrize(("built_days_ago", "removed"), [(3, 1), (15, 0), (300, 1)])
def test_files_wait_for_the_model_that_has_not_read_for_longest(
    settings: Settings, built_days_ago: float, removed: int
) -> None:
    Table(settings, "silver.stg_rides", days=10 if built_days_ago < 100 else 40)
    now = datetime.now(UTC)
    for table, at in (("gold.a", now), ("gold.b", now - 400 * DAY), ("gold.b", now - built_days_ago * DAY)):
        build = {"table": table, "built_at": at, "version": 0, "fingerprint": "f", "why": "news"}
        append(settings, MODEL_BUILDS, [build | {"inputs": json.dumps({"silver.stg_rides": {"version": 0}})}])
    assert kept(settings, "silver")["silver.stg_rides"].files_removed == removed


@pytest.mark.parametrize(("layer", "joins"), [("ops", True), ("speed", False)])
def test_a_hundred_small_files_become_one_where_they_are_not_written_again(
    settings: Settings, layer: str, joins: bool
) -> None:
    path = settings.table(layer, "many")
    for number in range(CROWDED - 1):
        write_deltalake(path, pa.table({"n": [number]}), mode="append")
    assert kept(settings, layer)[f"{layer}.many"].files_joined == 0
    write_deltalake(path, pa.table({"n": [CROWDED - 1]}), mode="append")
    assert kept(settings, layer)[f"{layer}.many"].files_joined == (CROWDED if joins else 0)
    table = DeltaTable(path)
    assert len(table.file_uris()) == (1 if joins else CROWDED)
    assert sorted(table.to_pyarrow_table()["n"].to_pylist()) == [*range(CROWDED)]


def test_a_table_that_can_not_be_kept_is_told_and_stops_no_other(settings: Settings) -> None:
    broken = Table(settings, "gold.broken", days=8)
    (broken.path / "_delta_log" / f"{1:020d}.json").write_text("{")
    Table(settings, "gold.sound", days=8)
    environment = {"TIDEMARK_HOME": str(settings.home)}
    done = CliRunner().invoke(command_line(["maintain-layer"]), ["maintain-layer", "gold", "--json"], env=environment)
    found = {each["table"]: each for each in map(json.loads, done.output.splitlines())}
    assert (done.exit_code, found["gold.sound"]["files_removed"]) == (2, 1)
    assert found["gold.broken"]["problem"] and not found["gold.sound"]["problem"]


def test_a_dry_run_tells_and_does_nothing(settings: Settings) -> None:
    table = Table(settings, "gold.marts", days=8)
    found = kept(settings, "gold", dry_run=True)
    assert (found["gold.marts"].files_removed, len(table.files())) == (1, 3)
