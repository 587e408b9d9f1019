"""A changed contract against the one in force: what differs, what of it is refused, and what it does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable, Schema
from deltalake.schema import Field, PrimitiveType

from tests.kafka import free_ports
from tests.unit.test_avro_records import registry
from tidemark.contract_change import change_of
from tidemark.contract_diff import Diff, compared
from tidemark.contracts import Contract, read_contract
from tidemark.services import settings_environment
from tidemark.settings import Settings

pytestmark = pytest.mark.unit

IN_FORCE = """\
id: ride_events
owner: rangers
description: One record per animal seen.
topic: sightings
format: json
key: [sighting_id]
eventTime: seen_at
schema:
  - {name: sighting_id, logicalType: string,    required: true, maxLength: 10}
  - {name: seen_at,     logicalType: timestamp, required: true, from: ts, unit: ms}
  - {name: legs,        logicalType: integer,   minimum: 0, unit: legs}
  - {name: kind,        logicalType: string,    enum: [cat, dog]}
quality:
  - {metric: rowCount, mustBeGreaterThan: 0}
"""

# What stands in the contract, what is put there instead, and what is said: where, how, what, and whether it is refused.
CHANGES = [
    ("owner: rangers", "owner: wardens", ("owner", "described", "rangers -> wardens", False)),
    ("topic: sightings", "topic: seen", ("topic", "changed", "sightings -> seen", True)),
    ("json", "json\ntombstone: delete", ("tombstone", "loosened", "quarantine -> delete", False)),
    ("json", "json\nmirror: true", ("mirror", "changed", "false -> true", False)),
    ("[sighting_id]", "[sighting_id, seen_at]", ("key", "changed", "sighting_id -> sighting_id, seen_at", False)),
    ("quality", "  - {name: size, logicalType: number}\nquality", ("size", "added", "number, optional", False)),
    ("quality", "  - {name: old, logicalType: integer}\nquality", ("old", "added", "integer, optional", True)),
    ("  - {name: kind,        logicalType: string,    enum: [cat, dog]}\n", "", ("kind", "removed", "string", False)),
    ("integer,", "number,", ("legs", "retyped", "integer -> number", True)),
    ("integer,   min", "integer, required: true, min", ("legs", "tightened", "optional -> required", False)),
    ("minimum: 0", "minimum: 2.5", ("legs", "tightened", "minimum: 0 -> 2.5", False)),
    ("minimum: 0, ", "", ("legs", "loosened", "minimum: 0 -> none", False)),
    ("minimum: 0", "minimum: 0, maximum: 8", ("legs", "tightened", "maximum: none -> 8", False)),
    ("unit: legs", "unit: pairs", ("legs", "described", "unit: legs -> pairs", False)),
    ("unit: ms", "unit: s", ("seen_at", "changed", "unit: ms -> s", False)),
    ("from: ts", "from: at", ("seen_at", "changed", "from: ts -> at", False)),
    ("maxLength: 10", "maxLength: 9", ("sighting_id", "tightened", "maxLength: 10 -> 9", False)),
    ("maxLength: 10", "maxLength: 11", ("sighting_id", "loosened", "maxLength: 10 -> 11", False)),
    ("[cat, dog]", "[dog]", ("kind", "tightened", "enum: without cat", False)),
    ("[cat, dog]", "[dog, cat, cow]", ("kind", "loosened", "enum: with cow", False)),
    ("enum: [cat, dog]", "pattern: c.*, pii: true", ("kind", "loosened", "enum: cat, dog -> none", False)),
    ("enum: [cat, dog]", "pattern: c.*, pii: true", ("kind", "changed", "pattern: none -> c.*", False)),
    ("enum: [cat, dog]", "pattern: c.*, pii: true", ("kind", "described", "pii: false -> true", False)),
    ("mustBeGreaterThan: 0", "mustBe: 3", ("quality", "removed", "metric rowCount, mustBeGreaterThan 0", False)),
    ("mustBeGreaterThan: 0", "mustBe: 3", ("quality", "added", "metric rowCount, mustBe 3", False)),
]


def diff(tmp_path: Path, text: str, held: dict[str, str], models: dict[str, str] | None = None) -> Diff:
    old, new = (written(tmp_path / folder, each) for folder, each in (("in_force", IN_FORCE), ("changed", text)))
    return compared(old, new, held, models)


def written(folder: Path, text: str) -> Contract:
    folder.mkdir()
    path = folder / "ride_events.yaml"
    path.write_text(text)
    return read_contract(path)


@pytest.mark.parametrize(("found", "put", "due"), CHANGES)
def test_each_change_is_named(tmp_path: Path, found: str, put: str, due: tuple[str, str, str, bool]) -> None:
    text = IN_FORCE.replace(found, put, 1)
    assert text != IN_FORCE
    result = diff(tmp_path, text, held={"old": "string"})
    assert due in [(each.where, each.kind, each.what, bool(each.refused)) for each in result.changes]
    assert result.is_refused == due[3]
    assert len(result.changes) == len([each for each in CHANGES if each[:2] == (found, put)])


def test_the_same_contract_changes_nothing(tmp_path: Path) -> None:
    result = diff(tmp_path, IN_FORCE, held=dict.fromkeys(("sighting_id", "seen_at", "legs", "kind"), "string"))
    assert not result.changes and not result.is_refused
    assert not any(result.effects.values())


def test_what_a_change_does_is_said(tmp_path: Path) -> None:
    text = IN_FORCE.replace("minimum: 0", "minimum: 1").replace("name: kind", "name: sort")
    held = {"sighting_id": "string", "seen_at": "timestamp", "legs": "integer", "kind": "string"}
    effects = diff(
        tmp_path, text, held=held, models={"stg_seen": "select legs, kind", "stg_at": "select seen_at"}
    ).effects
    assert effects["bronze"] == ["ADD COLUMNS `sort` string", "kind stays in the table, null in every new row"]
    assert effects["old rows"] == [
        "stay as version 1.0.0 judged them",
        "the version stays 1.0.0: no row will say by which of the two it was judged",
        "sort is null in them",
        "what is in quarantine may be good now: `tidemark replay ride_events`",
        "what is good may not fit any more, and the gate judges it too: `tidemark gate bronze.ride_events`",
    ]
    assert [line for line in effects["views and models"] if line.startswith("stg_")] == ["stg_seen reads kind, legs"]


def in_house(tmp_path: Path, text: str, url: str) -> tuple[Settings, Path]:
    """Put a contract in force, its table of an earlier version beside it, and a changed one elsewhere."""
    settings = Settings(home=tmp_path, contracts_dir=tmp_path / "contracts", registry_url=url)
    for folder, each in (("contracts", IN_FORCE), ("changed", text)):
        written(tmp_path / folder, each.replace("json", "avro"))
    fields = [Field(name, PrimitiveType(kind)) for name, kind in (("sighting_id", "string"), ("size", "long"))]
    DeltaTable.create(settings.table("bronze", "ride_events"), Schema(fields))
    return settings, tmp_path / "changed" / "ride_events.yaml"


def test_table_registry_and_models_are_asked(tmp_path: Path) -> None:
    text = IN_FORCE.replace("quality", "  - {name: size, logicalType: number}\nquality")
    with registry(200, {"is_compatible": False}, []) as url:
        found = change_of(*in_house(tmp_path, text, url))
    refused = {each.where: each.refused for each in found.changes if each.refused}
    assert refused.keys() == {"size", "schema"}
    assert refused["size"] == "bronze has it of an earlier version as integer: name it anew"
    assert refused["schema"].startswith("it breaks the compatibility of sightings-value")


def test_a_registry_that_is_away_refuses_nothing_and_is_named(tmp_path: Path) -> None:
    settings, file = in_house(tmp_path, IN_FORCE, f"http://127.0.0.1:{free_ports(1)[0]}/apis")
    command = [str(Path(sys.executable).with_name("tidemark")), "contracts", "diff", str(file), "--json"]
    environment = settings_environment(settings)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (said,) = json.loads(done.stdout)["effects"]["registry"]
    assert said.startswith("can't tell whether sightings-value takes the schema: the schema registry does not answer")
    file.write_text(file.read_text().replace("integer,   minimum: 0", "string"))
    refused = subprocess.run(command[:-1], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, "retyped" in refused.stdout) == (1, True)
