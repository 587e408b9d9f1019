"""The DAGs as Airflow itself reads them, in its own environment."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tidemark.contracts import read_contracts
from tidemark.models import GOLD, STAGED
from tidemark.settings import ROOT, Settings

pytestmark = pytest.mark.services

READ = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({folder!r})
dags = {{
    dag.dag_id: {{
        "file": dag.fileloc,
        "doc": dag.doc_md,
        "periodic": dag.timetable.periodic,
        "catchup": dag.catchup,
        "tags": sorted(dag.tags),
        "tasks": {{
            task.task_id: {{
                "command": task.command,
                "owner": task.owner,
                "retries": task.retries,
                "after": sorted(task.upstream_task_ids),
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
    return run_in_airflow(READ.format(folder=str(ROOT / "dags")), tmp_path_factory.mktemp("airflow"))


def run_in_airflow(code: str, home: Path) -> dict[str, Any]:
    """Run code by Airflow's own Python; give the JSON that it prints behind RESULT."""
    own = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONPATH": f"{ROOT}:{ROOT / 'dags'}"}
    command = [str(Settings.load().airflow_venv / "bin" / "python"), "-c", code]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, timeout=120, check=False)
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("RESULT")] or [done.stderr]
    return dict(json.loads(line.removeprefix("RESULT")))


def test_every_dag_is_read_without_an_error_and_named_as_its_file(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}
    assert {dag_id: Path(dag["file"]).stem for dag_id, dag in bag["dags"].items()} == {
        "build_lakehouse": "build_lakehouse"
    }


def test_dag_explains_itself_and_can_be_backfilled(bag: dict[str, Any]) -> None:
    dag = bag["dags"]["build_lakehouse"]
    assert dag["doc"].startswith("# build_lakehouse")
    assert (dag["periodic"], dag["catchup"]) == (True, False)
    assert all(task["owner"] == "platform" and task["retries"] for task in dag["tasks"].values())


def test_each_contract_is_compacted_reconciled_proven_and_gated_before_dbt(bag: dict[str, Any]) -> None:
    tasks = bag["dags"]["build_lakehouse"]["tasks"]
    contracts = list(read_contracts(ROOT / "contracts"))
    for name in contracts:
        assert tasks[f"{name}.reconcile"]["after"] == [f"{name}.compact"]
        assert tasks[f"{name}.prove"]["after"] == [f"{name}.reconcile"]
        assert tasks[f"{name}.gate"]["after"] == [f"{name}.prove"]
    assert tasks["dbt_silver"]["after"] == sorted(f"{name}.gate" for name in contracts)
    assert tasks["dbt_gold"]["after"] == sorted(f"gate_{name}" for name in STAGED)
    assert all(tasks[f"gate_{name}"]["after"] == ["dbt_gold"] for name in GOLD)


def test_every_task_runs_the_command_line_of_the_lakehouse(bag: dict[str, Any]) -> None:
    programs = {task["command"][0] for task in bag["dags"]["build_lakehouse"]["tasks"].values()}
    assert programs == {str(ROOT / ".venv" / "bin" / "tidemark")}


def test_failing_command_fails_the_task_with_its_command_line(tmp_path: Path) -> None:
    code = f"""
import json, sys
sys.path.insert(0, {str(ROOT / "dags")!r})
from airflow.exceptions import AirflowException
from operators.command import CommandOperator
good = CommandOperator(task_id="good", command=["echo", "all; $HOME is well"]).execute({{}})
try:
    CommandOperator(task_id="bad", command=["false"]).execute({{}})
except AirflowException as error:
    bad = str(error)
print("RESULT" + json.dumps({{"good": good, "bad": bad}}))
"""
    assert run_in_airflow(code, tmp_path) == {
        "good": "all; $HOME is well",
        "bad": "false ended with 1; see the log above",
    }
