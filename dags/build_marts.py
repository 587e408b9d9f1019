"""# build_marts

Builds the tables that analysts read: silver and gold, one task and one asset for each dbt model.

**prove** says how far bronze is complete, and nothing is built beyond that → **gate_bronze** → **silver** →
**gate_silver** → **gold** → **gate_gold**, dbt's documentation and the trust page. A failed proof or gate stops what is
downstream of it; its log names the expectation that failed and links its report.

* **It runs** when bronze has moved (the streams and `reconcile_bronze` say so), and at least once a day.
* **Only what has news is built**: a model whose inputs and SQL are those of its last build is skipped, and says so.
  One whose SQL, macros or columns are others is made anew from its first row.
* **Trigger**: whenever you like; with *days*, these are computed again; with *full refresh*, everything. **Backfill**:
  each run builds its own day again.
"""

from datetime import UTC, datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetAny, AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable
from cosmos import DbtTaskGroup
from operators.command import DEFAULTS, CommandOperator
from operators.marts import BUILD_FORM, NONE_FAILED, cosmos

from tidemark import commands, models
from tidemark.contracts import read_contracts
from tidemark.settings import Settings

settings = Settings.load()
CONTRACTS = list(read_contracts(settings.contracts_dir))
LEFT_OUT = models.left_out(CONTRACTS)
SILVER, GOLD = ([name for name in layer if name not in LEFT_OUT] for layer in (models.STAGED, models.GOLD))

with DAG(
    dag_id="build_marts",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 7 * * *", timezone="UTC"),
        assets=AssetAny(*(Asset(f"bronze/{name}") for name in CONTRACTS)),
    ),
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["silver", "gold"],
    params=BUILD_FORM,
    default_args=DEFAULTS,
):
    gate_bronze = CommandOperator(task_id="gate_bronze", command=commands.gate("bronze", CONTRACTS))
    gate_silver = CommandOperator(task_id="gate_silver", command=commands.gate("silver", SILVER), **NONE_FAILED)
    gate_gold = CommandOperator(task_id="gate_gold", command=commands.gate("gold", GOLD), **NONE_FAILED)
    silver = DbtTaskGroup(group_id="silver", **cosmos("silver"))
    gold = DbtTaskGroup(group_id="gold", **cosmos("gold"))
    docs = commands.dbt_docs(settings.home.absolute() / "docs" / "dbt")
    proof = CommandOperator(task_id="prove", command=commands.prove(*CONTRACTS))
    proof >> gate_bronze >> silver >> gate_silver >> gold >> gate_gold
    page = CommandOperator(
        task_id="trust_page",
        command=commands.trust_page(),
        trigger_rule="all_done",  # what failed is what people want to see
        doc_md="What can be trusted, as one page.",
    )
    # The page is made whatever has failed; without `trusted`, a run whose gates fail would count as a success.
    gate_gold >> [page, EmptyOperator(task_id="trusted")]
    # dbt ends with 1 for a warehouse that is away, too: so it is tried again.
    told = {"retry_policy": None, "doc_md": "dbt writes its documentation.", **NONE_FAILED}
    gold >> CommandOperator(task_id="dbt_docs", command=docs, **told)
