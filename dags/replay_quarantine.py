"""# replay_quarantine

Judges a contract's quarantined rows again, by the contract of today: what passes is released where it stands.

**plan** is a dry run → **approve** shows its result, and a person decides (no answer within a day is a no) → **apply**
→ **prove** → **build_marts** takes the released rows into silver and gold. With *dry run* it ends after the plan.

* **Trigger**: with the contract and, if you like, one reason in the form. **CLI**: `tidemark replay`.
"""

from datetime import UTC, datetime

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param
from operators.command import DEFAULTS, CommandOperator
from operators.plans import APPROVAL, REPLAY_PLAN, is_worth_a_replay

from tidemark import commands
from tidemark.contracts import read_contracts
from tidemark.settings import Settings

CONTRACTS = list(read_contracts(Settings.load().contracts_dir))
CONTRACT, REASON = "{{ params.contract }}", "{{ params.reason }}"

with DAG(
    dag_id="replay_quarantine",
    schedule=None,
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=8,  # one that waits for a person holds up no other; leases keep them apart
    doc_md=__doc__,
    tags=["bronze"],
    params={
        "contract": Param(CONTRACTS[0] if CONTRACTS else None, type="string", enum=CONTRACTS, title="Contract"),
        "reason": Param("", type="string", title="Reason", description="Or what it begins with; empty: all."),
        "dry_run": Param(False, type="boolean", title="Dry run"),
    },
    default_args=DEFAULTS,
):
    plan = CommandOperator(
        task_id="plan",
        command=commands.replay(CONTRACT, REASON, "--dry-run", "--json"),
        result_is_json=True,
        doc_md="What would be released, day by day; the task's result (XCom) has it too.",
    )
    choose = ShortCircuitOperator(task_id="choose", python_callable=is_worth_a_replay)
    approve = ApprovalOperator(
        subject="Release quarantined rows of {{ params.contract }}",
        body=REPLAY_PLAN,
        **APPROVAL,
    )
    apply = CommandOperator(task_id="apply", command=commands.replay(CONTRACT, REASON, "--json"), result_is_json=True)
    prove = CommandOperator(task_id="prove", command=commands.prove(CONTRACT))
    rebuild = TriggerDagRunOperator(task_id="build_marts", trigger_dag_id="build_marts")
    plan >> choose >> approve >> apply >> prove >> rebuild
