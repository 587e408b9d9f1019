"""# reconcile_bronze

Puts a day of the streaming output right, and says what was found.

For each contract: **reconcile** the day with Kafka, byte by byte, and repair what is missing → **source**: compare it
with the operational system's own export, row by row, and append what is missing or different → **prove** that every
offset is in bronze exactly once. Then **recompute** replaces the day's provisional windows of the speed layer by final
ones. What was found is in `ops.reconciliations` and, row by row, in `ops.reconciliation_diffs`.

* **It fails** when something is left, or a day can't be proven: what depends on it does not start. An export that would
  change more of a day than TIDEMARK_APPROVAL_SHARE is refused here: `backfill_bronze` asks a person.
* **Trigger**: with the day in the form (UTC; empty: the run's). **Backfill**: any range of days. All of it can be run
  twice: the second run changes nothing.
"""

from datetime import UTC, datetime

from airflow.sdk import DAG, Asset, TaskGroup
from airflow.timetables.interval import CronDataIntervalTimetable
from operators.command import DEFAULTS, CommandOperator
from operators.days import DAY, DAY_FORM

from tidemark import commands
from tidemark.contracts import read_contracts
from tidemark.settings import Settings

CONTRACTS = read_contracts(Settings.load().contracts_dir)

with DAG(
    dag_id="reconcile_bronze",
    # At six: the longest windows of the day before have closed. A run is about that day: its `ds`.
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["bronze", "speed"],
    params=DAY_FORM,
    default_args=DEFAULTS,
):
    recompute = CommandOperator(
        task_id="recompute",
        command=commands.recompute(DAY),
        outlets=[Asset(f"bronze/{name}") for name in CONTRACTS],  # all at once: build_marts runs once
        doc_md="The day's windows of every stream of the speed layer, computed from bronze, become final.",
    )
    for contract in CONTRACTS.values():
        with TaskGroup(contract.id, tooltip=contract.description):
            transport = CommandOperator(task_id="reconcile", command=commands.reconcile(contract.id, DAY))
            source = CommandOperator(
                task_id="source", command=commands.backfill("apply", DAY, DAY, "exports", [contract.id])
            )
            proof = CommandOperator(task_id="prove", command=commands.prove(contract.id))
            transport >> source >> proof >> recompute
