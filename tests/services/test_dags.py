"""The DAGs as Airflow itself reads them, in its own environment: their wiring, and the rules that all of them keep."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tidemark.airflow_env import POOL
from tidemark.contracts import read_contracts
from tidemark.dbt_changed import told
from tidemark.dbt_manifest import write_manifest
from tidemark.dbt_nodes import Model
from tidemark.layer_upkeep import RETAINED
from tidemark.model_builds import Decision
from tidemark.models import GOLD, STAGED
from tidemark.settings import ROOT, Settings

pytestmark = pytest.mark.services

CONTRACTS = list(read_contracts(ROOT / "contracts"))
BACKFILLED = {"backfill_bronze", "build_marts", "reconcile_bronze"}
UNPAUSED = {"maintain_bronze", "maintain_layers", "watch_streams"}
DAGS = BACKFILLED | UNPAUSED | {"replay_quarantine"}
PROGRAM = str(ROOT / ".venv" / "bin" / "tidemark")

READ = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({folder!r})
dags = {{
    dag.dag_id: {{
        "file": dag.fileloc,
        "doc": dag.doc_md,
        "scheduled": dag.timetable.can_be_scheduled,
        "catchup": dag.catchup,
        "active": dag.max_active_runs,
        "unpaused": dag.is_paused_upon_creation is False,
        "tags": sorted(dag.tags),
        "params": {{name: dag.params.get_param(name).schema for name in dag.params}},
        "tasks": {{
            task.task_id: {{
                "kind": type(task).__name__,
                "command": getattr(task, "command", None),
                "owner": task.owner,
                "retries": task.retries,
                "judges": task.retry_policy is not None,
                "pool": task.pool,
                "rule": task.trigger_rule.value,
                "after": sorted(task.upstream_task_ids),
                "outlets": sorted(asset.uri for asset in task.outlets),
                "defaults": getattr(task, "defaults", None),
                "dbt": [*getattr(task, "dbt_cmd_global_flags", ()), *(getattr(task, "dbt_cmd_flags", None) or ())],
            }}
            for task in dag.tasks
        }},
    }}
    for dag in bag.dags.values()
}}
print("RESULT" + json.dumps({{"errors": bag.import_errors, "dags": dags}}))
"""


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    write_manifest(Settings(home=home))
    return run_in_airflow(READ.format(folder=str(ROOT / "dags")), home)


def run_in_airflow(code: str, home: Path) -> dict[str, Any]:
    """Run code by Airflow's own Python; give the JSON that it prints behind RESULT."""
    own = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "TIDEMARK_HOME": str(home)}
    own["PYTHONPATH"] = f"{ROOT}:{ROOT / 'dags'}"
    command = [str(Settings.load().airflow_venv / "bin" / "python"), "-c", code]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, timeout=120, check=False)
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("RESULT")] or [done.stderr]
    return dict(json.loads(line.removeprefix("RESULT")))


def tasks(bag: dict[str, Any], dag: str) -> dict[str, Any]:
    return dict(bag["dags"][dag]["tasks"])


def test_every_dag_is_read_without_an_error_and_named_as_its_file(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}
    assert {dag_id: Path(dag["file"]).stem for dag_id, dag in bag["dags"].items()} == {name: name for name in DAGS}


def test_every_dag_keeps_the_rules(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        assert dag["doc"].startswith(f"# {name}\n"), name
        asks = any(task["kind"] == "ApprovalOperator" for task in dag["tasks"].values())
        assert (dag["catchup"], dag["active"] > 1) == (False, asks), name
        assert dag["scheduled"] or name not in BACKFILLED, name
        assert dag["tags"], name
        for task_id, task in dag["tasks"].items():
            assert (task["owner"], task["judges"]) == ("platform", task_id != "dbt_docs"), (name, task_id)
            assert task["retries"] or "watcher" in task_id, (name, task_id)  # a dbt build is not started twice
            if task["kind"] == "CommandOperator":
                pool = "default_pool" if name == "watch_streams" else POOL
                assert (task["pool"], task["command"][0]) == (pool, PROGRAM), (name, task_id)


def test_a_failed_gate_fails_its_run_though_the_page_is_made(bag: dict[str, Any]) -> None:
    found = tasks(bag, "build_marts")
    assert found["trust_page"]["rule"] == "all_done"
    assert (found["trusted"]["after"], found["trusted"]["rule"]) == (["gate_gold"], "all_success")


def test_only_upkeep_and_watch_run_before_anybody_has_asked_for_it(bag: dict[str, Any]) -> None:
    assert {name for name, dag in bag["dags"].items() if dag["unpaused"]} == UNPAUSED
    assert tasks(bag, "watch_streams")["watch"]["command"][1:] == ["watch", "--mend"]


def test_a_failed_look_tells_of_each_incident_with_its_runbook(tmp_path: Path) -> None:
    code = """
import json
from airflow.dag_processing.dagbag import DagBag
from operators import incidents
said = []
(tell,) = DagBag({folder!r}).dags["watch_streams"].get_task("watch").on_failure_callback
tell.log.error = said.append
tell({{"exception": "ended with 1"}})
print("RESULT" + json.dumps({{"said": said}}))
"""
    look = {"kind": "stuck", "stream": "rides", "since": "noon", "what": "it is", "runbook": "docs/runbooks/x.md"}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "watch.json").write_text(json.dumps({"incidents": [look]}))
    assert run_in_airflow(code.format(folder=str(ROOT / "dags" / "watch_streams.py")), tmp_path)["said"] == [
        "ended with 1",
        f"incident stuck of rides since noon: it is; runbook: {ROOT.as_uri()}/docs/runbooks/x.md",
    ]


def all_before(found: dict[str, Any], task: str) -> set[str]:
    """List the tasks that a task waits for, directly or by others."""
    direct = set(found[task]["after"])
    return direct.union(*(all_before(found, each) for each in direct))


def test_no_dag_file_does_more_than_wiring() -> None:
    files = sorted((ROOT / "dags").glob("*.py"))
    assert {file.stem for file in files} == DAGS
    for file in files:
        text = file.read_text()
        assert len(text.splitlines()) <= 80, file.name
        assert not any(f"\n{word} " in text for word in ("def", "class", "try:", "while")), file.name


def test_what_airflow_imports_for_its_dags_has_no_engine_in_it(tmp_path: Path) -> None:
    code = """
import json, sys
import operators.command, operators.days, operators.plans
from tidemark import commands, models
from tidemark.contracts import read_contracts
heavy = ("pyspark", "great_expectations", "deltalake", "pyarrow", "pandas", "confluent_kafka")
print("RESULT" + json.dumps({name: name in sys.modules for name in heavy}))
"""
    assert not any(run_in_airflow(code, tmp_path).values())


def test_each_contract_is_reconciled_and_proven_before_its_day_is_recomputed(bag: dict[str, Any]) -> None:
    found = tasks(bag, "reconcile_bronze")
    for name in CONTRACTS:
        assert found[f"{name}.source"]["after"] == [f"{name}.reconcile"]
        assert found[f"{name}.prove"]["after"] == [f"{name}.source"]
    assert found["recompute"]["after"] == sorted(f"{name}.prove" for name in CONTRACTS)
    assert found["recompute"]["outlets"] == [f"bronze/{name}" for name in sorted(CONTRACTS)]
    assert len(found) == 3 * len(CONTRACTS) + 1


def test_no_layer_is_built_before_the_one_below_is_proven_and_gated(bag: dict[str, Any]) -> None:
    found = tasks(bag, "build_marts")
    assert found["prove"]["command"][2:-2] == CONTRACTS
    assert found["gate_bronze"]["after"] == ["prove"]
    assert found["silver.dbt_producer_watcher"]["after"] == ["gate_bronze"]
    assert {f"silver.{name}_run" for name in STAGED} <= all_before(found, "gate_silver")
    assert found["gold.dbt_producer_watcher"]["after"] == ["gate_silver"]
    assert {f"gold.{name}_run" for name in GOLD} <= all_before(found, "gate_gold")
    assert found["gate_bronze"]["command"][2:] == [f"bronze.{name}" for name in CONTRACTS]


def test_a_model_that_is_skipped_stops_nothing_and_a_failed_gate_all_below_it(bag: dict[str, Any]) -> None:
    found = tasks(bag, "build_marts")
    models = {name for name in found if name.endswith("_run")}
    assert {f"silver.{name}_run" for name in STAGED} | {f"gold.{name}_run" for name in GOLD} <= models
    lenient = {name for name, task in found.items() if task["rule"] == "none_failed"}
    assert lenient - {name for name in found if "watcher" in name} == models | {"gate_silver", "gate_gold", "dbt_docs"}
    assert all(f"{layer}.dbt_producer_watcher" in lenient for layer in ("silver", "gold"))


def test_airflow_builds_only_what_has_news_and_a_model_that_is_tried_again_whatever_it_has(bag: dict[str, Any]) -> None:
    found = tasks(bag, "build_marts")
    assert found["gold.dbt_producer_watcher"]["dbt"][:2] == ["dbt", "--changed"]
    assert found["gold.fct_rides_run"]["dbt"] == ["dbt"]


def test_airflow_takes_what_is_told_of_a_skipped_model_for_a_skip(tmp_path: Path) -> None:
    model = Model("model.tidemark.fct_rides", "gold.fct_rides", frozenset(), False, (), "")
    code = """
import json
from cosmos.operators._watcher.base import store_dbt_resource_status_from_log
pushed = {{}}
class Instance:
    def xcom_push(self, key, value, **_):
        pushed[key] = value
store_dbt_resource_status_from_log({line!r}, {{"context": {{"ti": Instance()}}}})
print("RESULT" + json.dumps(pushed))
"""
    line = told(Decision(model, "skip", "no news", {}), as_json=True)
    pushed = run_in_airflow(code.format(line=line), tmp_path)
    assert pushed["model__tidemark__fct_rides_status"]["status"] == "skipped"
    assert "gold.fct_rides: skip: no news" in str(pushed)


def test_days_are_built_again_for_those_who_ask_for_them_and_by_a_backfill(tmp_path: Path) -> None:
    code = """
import json
from types import SimpleNamespace
from datetime import date, datetime
from jinja2 import Environment
from airflow.sdk.execution_time.macros import ds_add
from operators.marts import days_flags
environment = Environment()
environment.filters["ds"] = lambda day: day.strftime("%Y-%m-%d")
def flags(kind="manual", **params):
    run = SimpleNamespace(run_type=kind, run_after=datetime(2026, 3, 1))
    given = {"params": {"first": None, "last": None} | params, "dag_run": run, "logical_date": datetime(2026, 2, 28)}
    given["macros"] = SimpleNamespace(ds_add=ds_add)
    return [environment.from_string(each).render(given) for each in days_flags()]
result = [flags(), flags(first="2026-01-01"), flags(first="2026-01-01", last="2026-01-31"), flags("backfill")]
print("RESULT" + json.dumps({"flags": result}))
"""
    start, end = "--event-time-start", "--event-time-end"
    assert run_in_airflow(code, tmp_path)["flags"] == [
        ["", "", "", ""],
        [start, "2026-01-01", end, "2026-01-02"],
        [start, "2026-01-01", end, "2026-02-01"],
        [start, "2026-02-28", end, "2026-03-01"],
    ]


def test_no_answer_is_a_no_and_nothing_is_applied_without_one(bag: dict[str, Any]) -> None:
    for dag in ("backfill_bronze", "replay_quarantine"):
        found = tasks(bag, dag)
        assert (found["approve"]["kind"], found["approve"]["defaults"]) == ("ApprovalOperator", ["Reject"])
        assert "approve" in found["apply"]["after"]
        assert found["prove"]["after"] == ["apply"]
    assert bag["dags"]["backfill_bronze"]["params"]["contracts"]["items"]["enum"] == CONTRACTS


def test_upkeep_has_one_task_a_contract(bag: dict[str, Any]) -> None:
    found = {name: task["command"][1:] for name, task in tasks(bag, "maintain_bronze").items()}
    assert found == {name: ["maintain", name] for name in CONTRACTS}
    found = {name: task["command"][1:] for name, task in tasks(bag, "maintain_layers").items()}
    assert found == {name: ["maintain-layer", name] for name in RETAINED}


def test_a_command_fails_its_task_as_its_exit_code_says(tmp_path: Path) -> None:
    code = """
import json
from operators.command import CommandOperator
def run(words, **more):
    try:
        return CommandOperator(task_id="t", command=words, **more).execute({})
    except Exception as error:
        return [type(error).__name__, str(error)]
exits = {code: run([sys.executable, "-c", f"raise SystemExit({code})"])[0] for code in (1, 2, 3, 143)}
result = {
    "good": run(["echo", "all; $HOME is well"]),
    "more": run(["echo"], more='["a", "", 2]'),
    "json": run(["echo", '{"rows": 3}'], result_is_json=True),
    "exits": exits,
    "bad": run(["false"])[1],
}
print("RESULT" + json.dumps(result))
"""
    assert run_in_airflow("import sys\n" + code, tmp_path) == {
        "good": "all; $HOME is well",
        "more": "a 2",
        "json": {"rows": 3},
        "exits": {"1": "NotGood", "2": "CouldNotRun", "3": "NeedsApproval", "143": "CouldNotRun"},
        "bad": "false ended with 1; see the log above",
    }
