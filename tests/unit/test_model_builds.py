"""Which models are built: those whose inputs have news, or that are made otherwise than they were."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tidemark.certificates import Origin, PartitionMark, Tidemark, write_tidemark
from tidemark.dbt_changed import built, selected, told
from tidemark.dbt_nodes import Model, models_of
from tidemark.errors import TidemarkError
from tidemark.model_builds import Decision, decisions, keep_builds
from tidemark.settings import Settings

pytestmark = pytest.mark.unit

TABLES = ("bronze.rides", "silver.stg_rides", "silver.stg_sales", "speed.alerts", "gold.fct_rides", "gold.fct_alerts")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def node(layer: str, name: str, reads: list[str], **own: Any) -> tuple[str, dict[str, Any]]:
    """Give a model as dbt's manifest has it."""
    key = f"model.tidemark.{name}"
    told = {
        "resource_type": "model",
        "unique_id": key,
        "schema": layer,
        "alias": name,
        "fqn": ["tidemark", layer, name],
    }
    made = {"raw_code": " join ".join(reads), "columns": {"id": {"data_type": "string"}}}
    depends = {"depends_on": {"nodes": reads, "macros": ["macro.tidemark.outer"]}}
    return key, {**told, **made, **depends, "config": {"materialized": own.pop("materialized", "incremental")}, **own}


def manifest(**changed: dict[str, Any]) -> dict[str, Any]:
    """Give a project of two staged tables, a view and two tables of gold; models can be changed."""
    nodes = [
        node("silver", "stg_rides", ["source.tidemark.bronze.rides", "source.tidemark.ops.tidemarks"]),
        node("silver", "stg_sales", []),
        node("silver", "int_rides", ["model.tidemark.stg_rides"], materialized="view"),
        node("gold", "fct_rides", ["model.tidemark.int_rides"]),
        node("gold", "fct_alerts", ["source.tidemark.speed.alerts", "model.tidemark.stg_sales"]),
    ]
    macros = {"outer": ["macro.tidemark.inner"], "inner": ["macro.dbt.of_dbt"], "spark__merge": [], "unused": []}
    made = {
        f"macro.tidemark.{name}": {
            "name": name,
            "package_name": "tidemark",
            "macro_sql": name,
            "depends_on": {"macros": used},
        }
        for name, used in macros.items()
    }
    sources = {
        f"source.tidemark.{schema}.{name}": {"schema": schema, "identifier": name}
        for schema, name in (("bronze", "rides"), ("ops", "tidemarks"), ("speed", "alerts"))
    }
    for key, change in changed.items():
        (made[f"macro.tidemark.{key}"] if key in macros else dict(nodes)[f"model.tidemark.{key}"]).update(change)
    return {"nodes": dict(nodes), "macros": made, "sources": sources}


class Lake:
    """A lake where every model has just been built, and that is recorded."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        for table in TABLES:
            self.append(table)
        self.prove({0: 10})
        keep_builds(self.settings, [each for each in self.decided() if each.action != "skip"])

    def append(self, table: str) -> None:
        write_deltalake(self.path(table), pa.table({"id": ["a"]}), mode="append")

    def commit_nothing(self, table: str) -> Path:
        """Commit as Spark does when a MERGE finds nothing to do."""
        log = Path(self.path(table)) / "_delta_log"
        commit = log / f"{DeltaTable(self.path(table)).version() + 1:020d}.json"
        commit.write_text(json.dumps({"commitInfo": {"operation": "MERGE", "timestamp": 1}}) + "\n")
        return commit

    def path(self, table: str) -> str:
        path = self.settings.table(*table.split("."))
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return path

    def prove(self, below: dict[int, int], topic_id: str = "T1") -> None:
        version = DeltaTable(self.path("bronze.rides")).version()
        origin = Origin(datetime.now(UTC).isoformat(), "rides", "rides", topic_id, version, datetime.now(UTC))
        marks = [PartitionMark(part, end, NOW) for part, end in below.items()]
        write_tidemark(self.settings, Tidemark(origin, "proven", marks))

    def decided(self, **changed: dict[str, Any]) -> list[Decision]:
        return decisions(self.settings, models_of(manifest(**changed)))

    def built(self, **changed: dict[str, Any]) -> dict[str, str]:
        """Give what is done about each table that is not skipped."""
        return {
            each.model.name: each.action
            for each in self.decided(**changed)
            if each.action != "skip" and not each.model.is_view
        }


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def test_without_a_record_all_is_built_and_with_it_nothing_but_views(tmp_path: Path) -> None:
    assert {each.action for each in decisions(Settings(home=tmp_path), models_of(manifest()))} == {"build"}
    actions = {each.model.name: each.action for each in Lake(tmp_path).decided()}
    assert actions == {
        **dict.fromkeys(("stg_rides", "stg_sales", "fct_rides", "fct_alerts"), "skip"),
        "int_rides": "build",
    }


def test_news_beyond_the_proof_are_none(lake: Lake) -> None:
    lake.append("bronze.rides")
    assert lake.built() == {}
    lake.prove({0: 10})
    assert lake.built() == {"stg_rides": "build", "fct_rides": "build"}


NEWS: dict[str, tuple[Callable[[Lake], object], set[str]]] = {
    "a tidemark that moved": (lambda lake: lake.prove({0: 11}), {"stg_rides", "fct_rides"}),
    "a topic made anew": (lambda lake: lake.prove({0: 10}, "T2"), {"stg_rides", "fct_rides"}),
    "the same proof again": (lambda lake: lake.prove({0: 10}), set()),
    "a table of the speed layer": (lambda lake: lake.append("speed.alerts"), {"fct_alerts"}),
    "a merge that found nothing": (lambda lake: lake.commit_nothing("silver.stg_rides"), set()),
    "silver, through a view": (lambda lake: lake.append("silver.stg_rides"), {"stg_rides", "fct_rides"}),
    "a table that somebody wrote to": (lambda lake: lake.append("gold.fct_rides"), {"fct_rides"}),
    "a table that is gone": (lambda lake: remove(lake.path("gold.fct_alerts")), {"fct_alerts"}),
    "a log that was cleaned": (lambda lake: forget(lake, "speed.alerts"), {"fct_alerts"}),
}


def remove(path: str) -> None:
    Path(path).rename(path + ".gone")


def forget(lake: Lake, table: str) -> None:
    """Commit twice, and clean the log of the first."""
    first, _ = lake.commit_nothing(table), lake.commit_nothing(table)
    first.unlink()


@pytest.mark.parametrize("happens", NEWS)
def test_only_what_has_news_is_built(lake: Lake, happens: str) -> None:
    happen, expected = NEWS[happens]
    happen(lake)
    assert lake.built() == dict.fromkeys(expected, "build")


MADE_OTHERWISE: dict[str, tuple[dict[str, dict[str, Any]], set[str]]] = {
    "SQL": ({"fct_rides": {"raw_code": "select 1"}}, {"fct_rides"}),
    "a view's SQL": ({"int_rides": {"raw_code": "select 1"}}, {"fct_rides"}),
    "columns": ({"stg_sales": {"columns": {"id": {"data_type": "int"}}}}, {"stg_sales"}),
    "settings": ({"fct_alerts": {"config": {"materialized": "table"}}}, {"fct_alerts"}),
    "a macro that a macro uses": (
        {"inner": {"macro_sql": "else"}},
        {"stg_rides", "stg_sales", "fct_rides", "fct_alerts"},
    ),
    "how dbt merges": ({"spark__merge": {"macro_sql": "else"}}, {"stg_rides", "stg_sales", "fct_rides", "fct_alerts"}),
    "a macro of others": ({"unused": {"macro_sql": "else"}}, set()),
    "line breaks": ({"outer": {"macro_sql": "\n outer "}}, set()),
    "words about it": ({"fct_rides": {"description": "else"}}, set()),
}


@pytest.mark.parametrize("what", MADE_OTHERWISE)
def test_what_is_made_otherwise_is_made_anew_from_its_first_row(lake: Lake, what: str) -> None:
    changed, expected = MADE_OTHERWISE[what]
    actions = lake.built(**changed)
    assert {name for name, action in actions.items() if action == "refresh"} == expected


def test_a_build_is_recorded_as_its_inputs_stood_before_it(lake: Lake) -> None:
    before = lake.decided(fct_rides={"raw_code": "else"})
    lake.append("silver.stg_rides")
    keep_builds(lake.settings, before)
    assert "fct_rides" in lake.built(fct_rides={"raw_code": "else"})


# --- what is told dbt and Airflow


def test_models_are_selected_by_names_alone() -> None:
    models = models_of(manifest())

    def names(*line: str) -> set[str]:
        return {model.name for model in selected(models, ["dbt", "build", *line])}

    assert names() == {"stg_rides", "stg_sales", "int_rides", "fct_rides", "fct_alerts"}
    assert (
        names("--select", "gold", "--full-refresh")
        == names("-s", "fct_rides fct_alerts")
        == {"fct_rides", "fct_alerts"}
    )
    assert names("--select=stg_sales", "--vars", "gold: 1") == {"stg_sales"}
    with pytest.raises(TidemarkError, match=r"can't tell which models stg_rides\+ is"):
        names("--select", "stg_rides+")


def test_a_skip_is_told_as_dbt_tells_it_and_nothing_else_is() -> None:
    model = Model("model.tidemark.a", "gold.a", frozenset(), False, (), "")
    assert told(Decision(model, "skip", "why", {}), as_json=False) == "gold.a: skip: why"
    skipped = json.loads(told(Decision(model, "skip", "why", {}), as_json=True))
    kept = json.loads(told(Decision(model, "build", "why", {}), as_json=True))
    assert skipped["data"]["node_info"] == {
        "unique_id": "model.tidemark.a",
        "resource_type": "model",
        "node_status": "skipped",
    }
    assert "data" not in kept


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"metadata": {"env": {"TIDEMARK_BUILD": "mine"}}, "results": [{"unique_id": "a", "status": "success"}]}',
            {"a"},
        ),
        (
            '{"metadata": {"env": {"TIDEMARK_BUILD": "mine"}}, "results": [{"unique_id": "a", "status": "error"}]}',
            set(),
        ),
        (
            '{"metadata": {"env": {"TIDEMARK_BUILD": "other"}}, "results": [{"unique_id": "a", "status": "success"}]}',
            set(),
        ),
        ('{"metadata": {', set()),
        ("", set()),
    ],
)
def test_only_what_this_run_has_built_is_recorded(tmp_path: Path, text: str, expected: set[str]) -> None:
    results = tmp_path / "run_results.json"
    if text:
        results.write_text(text)
    assert built(results, "mine") == expected
