"""# maintain_bronze

Keeps every bronze table quick to read and no larger than it must be, beside the running streams.

Each run, for each contract: small files of closed days, and of a crowded today, become few (**compact**, up to 2 GiB a
run, checked row by row), and new entries of the **ledger** are copied to `ops.ledger`. Once a day: days older than the
contract's `retainDays` are **retired** if a proof covers them, files that no version needs any more are **vacuumed**,
and log files that were copied are **cleaned**. `ops.maintenance` has a row for each run that did something.

* **Trigger**: whenever you like. What is not due is not done, and a second run does nothing.
* **It fails** when a compaction was not neutral: docs/runbooks/compaction-not-neutral.md.
"""

from airflow.sdk import DAG
from operators.command import DEFAULTS, CommandOperator

from tidemark import commands
from tidemark.contracts import read_contracts
from tidemark.settings import Settings

with DAG(
    dag_id="maintain_bronze",
    schedule="*/30 * * * *",  # no start date: what has just been set up has nothing to keep yet
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    doc_md=__doc__,
    tags=["bronze", "upkeep"],
    default_args=DEFAULTS,
):
    for contract in read_contracts(Settings.load().contracts_dir).values():
        CommandOperator(
            task_id=contract.id,
            command=commands.maintain(contract.id),
            doc_md=f"Upkeep of `bronze.{contract.id}`: {contract.description}",
        )
