"""# build_lakehouse

Puts one day of the streaming output right and builds the tables that analysts read.

For each contract: **compact** the day's small files → **reconcile** it with Kafka, byte by byte, and repair what is
missing → **prove** that every offset is in bronze exactly once → **gate** bronze. Then **dbt** builds silver, its gates
run, dbt builds gold, its gates run. A failed proof or gate stops what is downstream of it; its log names the
expectation that failed and links its report.

* **Trigger**: with the date in the form (UTC; empty: the day of the run).
* **Backfill**: any range of days, from Airflow's own Backfill dialog. Every task can be run twice.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from airflow.sdk import DAG, Param, TaskGroup
from airflow.timetables.interval import CronDataIntervalTimetable
from operators.command import CommandOperator

from tidemark import commands, models
from tidemark.contracts import read_contracts
from tidemark.settings import Settings

DAY = "{{ params.date or (logical_date or dag_run.run_after) | ds }}"

with DAG(
    dag_id="build_lakehouse",
    # A run is about the day that has ended: its `ds` is that day.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["bronze", "silver", "gold"],
    params={
        "date": Param(
            None, type=["null", "string"], format="date", title="Day (UTC)", description="Empty: the run's day."
        )
    },
    default_args={"owner": "platform", "retries": 1, "retry_delay": timedelta(seconds=20)},
):
    settings = Settings.load()
    silver = CommandOperator(task_id="dbt_silver", command=commands.dbt_build("silver"), doc_md="dbt builds silver.")
    gold = CommandOperator(task_id="dbt_gold", command=commands.dbt_build("gold"), doc_md="dbt builds gold.")

    for contract in read_contracts(settings.contracts_dir).values():
        with TaskGroup(contract.id, tooltip=contract.description):
            steps = {
                "compact": commands.compact(contract.id, DAY),
                "reconcile": commands.reconcile(contract.id, DAY),
                "prove": commands.prove(contract.id),
                "gate": commands.gate("bronze", contract.id),
            }
            tasks = [CommandOperator(task_id=step, command=command) for step, command in steps.items()]
            for earlier, later in pairwise(tasks):
                earlier >> later
        tasks[-1] >> silver

    for table in models.STAGED:
        silver >> CommandOperator(task_id=f"gate_{table}", command=commands.gate("silver", table)) >> gold
    for table in models.GOLD:
        gold >> CommandOperator(task_id=f"gate_{table}", command=commands.gate("gold", table))
    docs = commands.dbt_docs(settings.home.absolute() / "docs" / "dbt")
    gold >> CommandOperator(task_id="dbt_docs", command=docs, doc_md="dbt writes its documentation.")
