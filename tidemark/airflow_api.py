"""A small client of Airflow's REST API: trigger a DAG, follow its run, tell of an asset."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

import requests
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from tidemark.airflow_env import ADMIN, admin_password, airflow_url
from tidemark.errors import TidemarkError
from tidemark.settings import Settings

_TIMEOUT = 30.0  # seconds
_PAGE = 100
_ENDED = ("success", "failed")


@dataclass(frozen=True)
class EndedRun:
    """A run of a DAG that is over."""

    dag: str
    at: datetime  # its end
    failed: bool


class AirflowApi:
    """Airflow of these settings, logged in as its admin.

    Every method raises TidemarkError if Airflow can't be reached or refuses; it says what Airflow answered.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = airflow_url(settings)
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy on the way to this machine
        answer = self._send("POST", "/auth/token", {"username": ADMIN, "password": admin_password(settings)})
        self._session.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run."""
        self._send("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Let a DAG's runs wait, and schedule none."""
        self._send("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": True})

    def is_paused(self, dag_id: str) -> bool:
        """Tell whether a DAG is paused: what is triggered waits, and nothing is scheduled."""
        return bool(self._send("GET", f"/api/v2/dags/{dag_id}")["is_paused"])

    def due(self, dag_id: str) -> datetime | None:
        """Give the logical date of the scheduled run that a paused DAG makes as soon as it is unpaused, if any."""
        found = self._send("GET", f"/api/v2/dags/{dag_id}")
        logical_date, run_after = found["next_dagrun_logical_date"], found["next_dagrun_run_after"]
        if not logical_date or datetime.fromisoformat(run_after) > datetime.now(UTC):
            return None
        return datetime.fromisoformat(logical_date)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, logical_date: datetime | None = None) -> str:
        """Start a run of a DAG and give its id.

        Args:
            logical_date: the run takes the place of the scheduled one of that date, which then is not made.
        """
        body = {"logical_date": logical_date.isoformat() if logical_date else None, "conf": dict(conf or {})}
        return str(self._send("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def backfill(self, dag_id: str, first: date, last: date, conf: Mapping[str, Any] | None = None) -> None:
        """Start Airflow's own backfill: a run of a DAG for each day of a range, both ends included."""
        days = {"from_date": f"{first.isoformat()}T00:00:00Z", "to_date": f"{last.isoformat()}T23:59:59Z"}
        body = {"dag_id": dag_id, **days, "dag_run_conf": dict(conf or {}), "max_active_runs": 1}
        self._send("POST", "/api/v2/backfills", body)

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Answer a task that waits for a person: `Approve` or `Reject`."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self._send("PATCH", path, {"chosen_options": [option]})

    def runs(self, dag_id: str) -> dict[str, str]:
        """Give the state of each run of a DAG, the newest first."""
        found = self._send("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=-run_after&limit={_PAGE}")
        return {str(run["dag_run_id"]): str(run["state"]) for run in found["dag_runs"]}

    def dags(self) -> list[str]:
        """Name the DAGs whose files are there."""
        found = self._send("GET", f"/api/v2/dags?exclude_stale=true&limit={_PAGE}")["dags"]
        return [str(dag["dag_id"]) for dag in found]

    def ended_runs(self, dag_id: str = "~", since: datetime | None = None, limit: int = _PAGE) -> list[EndedRun]:
        """Give the runs of a DAG, or of all, that have ended; those that ended last first."""
        wanted: list[tuple[str, Any]] = [("state", state) for state in _ENDED]
        wanted += [("order_by", "-end_date"), ("limit", limit)]
        wanted += [("end_date_gte", since.isoformat())] if since else []
        runs = self._send("GET", f"/api/v2/dags/{dag_id}/dagRuns?{urlencode(wanted)}")["dag_runs"]
        ended = ((run, datetime.fromisoformat(run["end_date"])) for run in runs if run["end_date"])
        return [EndedRun(str(run["dag_id"]), at, run["state"] == "failed") for run, at in ended]

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Give a run's state: queued, running, success or failed."""
        return str(self._send("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Give the state of each task of a run; a mapped one is named `task[index]`."""
        instances: list[dict[str, Any]] = []
        while True:
            query = f"?limit={_PAGE}&offset={len(instances)}"
            answer = self._send("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances{query}")
            instances += answer["task_instances"]
            if not answer["task_instances"] or len(instances) >= answer["total_entries"]:
                return {_task_name(instance): str(instance["state"] or "none") for instance in instances}

    def wait_for_dag(self, dag_id: str, seconds: float) -> None:
        """Wait until Airflow has read the DAG's file."""
        until = time.monotonic() + seconds
        while self._status("GET", f"/api/v2/dags/{dag_id}") == requests.codes.not_found:
            if time.monotonic() > until:
                fix = "look for an import error in Airflow's UI, or: tidemark logs airflow-dag-processor"
                raise TidemarkError(f"Airflow does not know the DAG {dag_id!r} after {seconds:.0f} seconds", fix)
            time.sleep(1.0)

    def wait(self, dag_id: str, run_id: str, seconds: float, see: Callable[[dict[str, str]], None]) -> str:
        """Follow a run until it ends and give its state; `see` gets the tasks' states whenever they change."""
        until = time.monotonic() + seconds
        seen: dict[str, str] = {}
        while True:
            state = self.run_state(dag_id, run_id)
            tasks = self.task_states(dag_id, run_id)
            if tasks != seen:
                see(tasks)
            if state in _ENDED:
                return state
            if time.monotonic() > until:
                fix = f"look at the run in Airflow's UI: {self._url}/dags/{dag_id}/runs/{run_id}"
                raise TidemarkError(f"{dag_id}: the run is still {state} after {seconds:.0f} seconds", fix)
            seen = tasks
            time.sleep(1.0)

    def announce(self, asset: int, extra: Mapping[str, Any]) -> None:
        """Make an event of an asset: DAGs that wait for it run."""
        self._send("POST", "/api/v2/assets/events", {"asset_id": asset, "extra": dict(extra)})

    def asset_events(self, uri: str) -> list[dict[str, Any]]:
        """Give the newest events of an asset, the newest first."""
        query = urlencode({"asset_id": self.asset(uri), "order_by": "-timestamp", "limit": _PAGE})
        return list(self._send("GET", f"/api/v2/assets/events?{query}")["asset_events"])

    def asset(self, uri: str) -> int:
        """Give the id of an asset.

        Raises:
            TidemarkError: Airflow knows no such asset.
        """
        query = urlencode({"uri_pattern": uri, "limit": _PAGE})
        found = self._send("GET", f"/api/v2/assets?{query}")["assets"]
        for asset in found:
            if asset["uri"] == uri:
                return int(asset["id"])
        raise TidemarkError(
            f"Airflow knows no asset {uri!r}", "look for an import error of build_marts in Airflow's UI"
        )

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer: requests.Response = _PATIENT(self._answer, method, path, body)
        if not answer.ok:
            what = f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}"
            raise TidemarkError(what, "tidemark logs airflow-api")
        return dict(answer.json())

    def _status(self, method: str, path: str) -> int:
        return self._answer(method, path, None).status_code

    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None) -> requests.Response:
        try:
            return self._session.request(method, self._url + path, json=body, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise TidemarkError(f"Airflow at {self._url} does not answer: {error}", "make up; make status") from None


def _found_it_locked(answer: requests.Response) -> bool:
    """Tell whether Airflow failed for its database: on SQLite, it does where two write at once."""
    return answer.status_code >= requests.codes.server_error and "Database" in answer.text


# Nothing was done, so it can be tried again; in the end, what Airflow answered last is told.
_PATIENT = Retrying(
    retry=retry_if_result(_found_it_locked),
    wait=wait_fixed(0.5),
    stop=stop_after_delay(60),
    retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
)


def _task_name(instance: Mapping[str, Any]) -> str:
    index = instance.get("map_index", -1)
    return str(instance["task_id"]) if index < 0 else f"{instance['task_id']}[{index}]"
