"""# backfill_bronze

Fills days of bronze from Kafka, from the operational systems' exports, or from an archive of files.

**plan** says what would change → where more of a day's rows would change than TIDEMARK_APPROVAL_SHARE, a person decides
(**approve**, in *Required Actions*; no answer within a day is a no) → **apply** appends what is missing or different,
never more rows than were approved, and compares again → **prove** → **build_marts** rebuilds what follows.

* **Trigger**: with contracts, days and source in the form. **Backfill**: each day of the range is a run of its own,
  from the exports. **REST**: the same form as `conf`. **CLI**: `tidemark backfill plan|apply|diff`.
* **Each morning** it looks at the exports of the day before: what `reconcile_bronze` refused, a person is asked about.
* Rows that the contract refuses go to the quarantine; a file that can't be read as a whole is refused by name.
"""

from datetime import UTC, datetime

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param
from airflow.timetables.interval import CronDataIntervalTimetable
from operators.command import DEFAULTS, CommandOperator
from operators.days import FIRST, LAST, RANGE_FORM
from operators.plans import APPROVAL, BACKFILL_PLAN, after_plan

from tidemark import commands
from tidemark.contracts import read_contracts
from tidemark.settings import Settings

CONTRACTS = list(read_contracts(Settings.load().contracts_dir))
CHOSEN = "params.contracts"
APPROVED = "ti.xcom_pull(task_ids='plan')"

with DAG(
    dag_id="backfill_bronze",
    # Every morning it asks about what reconcile_bronze refused. Without a schedule, Airflow has no Backfill.
    schedule=CronDataIntervalTimetable("0 8 * * *", timezone="UTC"),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=8,  # one that waits for a person holds up no other; leases keep them apart
    doc_md=__doc__,
    tags=["bronze"],
    params={
        "contracts": Param(CONTRACTS, type="array", items={"type": "string", "enum": CONTRACTS}, examples=CONTRACTS),
        **RANGE_FORM,
        "source": Param("exports", enum=["exports", "kafka", "archive"], title="Source"),
        "path": Param(".", type="string", title="Archive", description="Below exports/<contract>; for `archive`."),
    },
    default_args=DEFAULTS,
):
    source = {"source": "{{ params.source }}", "path": "{{ params.path }}"}
    plan = CommandOperator(
        task_id="plan",
        command=commands.backfill("plan", FIRST, LAST, **source),
        more=f"{{{{ ({CHOSEN} + ['--json']) | tojson }}}}",
        result_is_json=True,
    )
    choose = BranchPythonOperator(task_id="choose", python_callable=after_plan)
    approve = ApprovalOperator(
        subject="Backfill {{ params.contracts | join(', ') }} from {{ params.source }}",
        body=BACKFILL_PLAN,
        **APPROVAL,
    )
    apply = CommandOperator(
        task_id="apply",
        command=commands.backfill("apply", FIRST, LAST, **source),
        more=f"{{{{ ({CHOSEN} + ['--approved', {APPROVED}.rows, '--json']) | tojson }}}}",
        result_is_json=True,
        trigger_rule="none_failed_min_one_success",
    )
    prove = CommandOperator(task_id="prove", command=commands.prove(), more=f"{{{{ {CHOSEN} | tojson }}}}")
    rebuild = TriggerDagRunOperator(task_id="build_marts", trigger_dag_id="build_marts")
    plan >> choose >> [approve, apply]
    approve >> apply >> prove >> rebuild
