"""What a person is shown before rows change, and which way a run goes from its plan."""

from datetime import timedelta
from types import MappingProxyType
from typing import Any

# No answer is a no.
APPROVAL = MappingProxyType({"task_id": "approve", "defaults": "Reject", "response_timeout": timedelta(days=1)})

BACKFILL_PLAN = """\
| contract | day | rows now | rows after | missing | different | rejected | share | seconds, about | models to rebuild |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
{% for day in ti.xcom_pull(task_ids='plan').days if day.files_added -%}
| {{ day.contract }} | {{ day.day }} | {{ day.rows_now }} | {{ day.rows_after }} | {{ day.missing }} \
| {{ day.different }} | {{ day.rejected }} | {{ '%.1f %%' % (100 * day.share) }} | {{ day.estimated_seconds }} \
| {{ day.models | join(', ') }} |
{% endfor %}
Only rows are appended: no file is rewritten. `tidemark backfill diff` shows them one by one.
"""

REPLAY_PLAN = """\
| day of ingest | rows judged | would be released | held for other reasons |
| --- | ---: | ---: | ---: |
{% for day in ti.xcom_pull(task_ids='plan').days -%}
| {{ day.day }} | {{ day.rows }} | {{ day.released }} | {{ day.otherwise }} |
{% endfor %}
"""


def after_plan(ti: Any) -> list[str]:
    """Give the task that follows a backfill's plan; none, if nothing would change."""
    plan = ti.xcom_pull(task_ids="plan")
    if not any(day["files_added"] for day in plan["days"]):
        return []
    return ["approve" if plan["needs_approval"] else "apply"]


def is_worth_a_replay(ti: Any, params: dict[str, Any]) -> bool:
    """Tell whether a replay is wanted, and would change something."""
    days = ti.xcom_pull(task_ids="plan")["days"]
    return not params["dry_run"] and any(day["released"] or day["otherwise"] for day in days)
