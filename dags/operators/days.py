"""Which days a run is about: those of its form, else its own."""

from airflow.sdk import Param

_OWN = "(logical_date or dag_run.run_after) | ds"

DAY = f"{{{{ params.date or {_OWN} }}}}"
FIRST = f"{{{{ params.first or {_OWN} }}}}"
LAST = f"{{{{ params.last or params.first or {_OWN} }}}}"


def _day(title: str, empty: str) -> Param:
    return Param(None, type=["null", "string"], format="date", title=title, description=f"Empty: {empty}.")


DAY_FORM = {"date": _day("Day (UTC)", "the run's day")}
RANGE_FORM = {
    "first": _day("First day (UTC)", "the run's day"),
    "last": _day("Last day (UTC)", "the first day"),
}
