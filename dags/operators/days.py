"""Which days a run is about: those of its form, else its own."""

from airflow.sdk import Param

_OWN = "(logical_date or dag_run.run_after) | ds"

DAY = f"{{{{ params.date or {_OWN} }}}}"
FIRST = f"{{{{ params.first or {_OWN} }}}}"
LAST = f"{{{{ params.last or params.first or {_OWN} }}}}"


def day(title: str, empty: str) -> Param:
    """Give a field for a day, which may be empty."""
    return Param(None, type=["null", "string"], format="date", title=title, description=f"Empty: {empty}.")


DAY_FORM = {"date": day("Day (UTC)", "the run's day")}
RANGE_FORM = {
    "first": day("First day (UTC)", "the run's day"),
    "last": day("Last day (UTC)", "the first day"),
}
