"""# watch_streams

Looks at every always-on stream, and at the proof of every bronze table, every five minutes.

**watch** fails while an incident is open: a stream that is stuck, refused or starts again and again, a process that
does not answer, a tidemark that is stalled. Its log names each incident and its runbook; `ops.incidents` has them. What
a restart may end is restarted by the supervisor, once for each incident. The next run finds it over, and succeeds.

* **The Streams page** shows what the last look found, beside what the streams say now.
* **Trigger**: whenever you like; by hand it is `tidemark watch`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG
from operators.command import DEFAULTS, CommandOperator
from operators.incidents import IncidentNotifier

from tidemark import commands

with DAG(
    dag_id="watch_streams",
    schedule="*/5 * * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    doc_md=__doc__,
    tags=["bronze", "speed", "upkeep"],
    # Not the lakehouse's pool: it must not wait behind its jobs.
    default_args=DEFAULTS | {"pool": "default_pool"},
):
    CommandOperator(
        task_id="watch",
        command=commands.watch(),
        execution_timeout=timedelta(minutes=10),  # a restart of the streams may take three
        on_failure_callback=IncidentNotifier(),
        doc_md="One look; it fails while an incident is open.",
    )
