"""Airflow: how each DAG's newest finished run ended, by the REST API."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily

from tidemark.airflow_api import AirflowApi, EndedRun
from tidemark.metric_sources.part import gauge, seconds_of
from tidemark.settings import Settings

_OVERLAP = timedelta(minutes=2)  # a run's end may be written some time after it


class Airflow:
    """The DAGs of Airflow; after the first look only for what has ended since."""

    source = "airflow"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._api: AirflowApi | None = None
        self._newest: dict[str, EndedRun] = {}

    def look(self, at: datetime) -> list[GaugeMetricFamily]:
        """Ask Airflow.

        Raises:
            TidemarkError: it does not answer, or refuses; at the next look we log in anew.
        """
        api, self._api = self._api, None  # a login is not for ever
        if api is None:
            api = AirflowApi(self._settings)
            ended = [run for dag in api.dags() for run in api.ended_runs(dag, limit=1)]
        else:
            ended = api.ended_runs(since=max(self._times(), default=at) - _OVERLAP)
        for run in sorted(ended, key=lambda each: each.at):
            self._newest[run.dag] = run
        self._api = api
        return families(self._newest)

    def _times(self) -> list[datetime]:
        return [run.at for run in self._newest.values()]


def families(newest: Mapping[str, EndedRun]) -> list[GaugeMetricFamily]:
    """Give the gauges of what was found."""
    failed = {dag: run.failed for dag, run in newest.items()}
    times = seconds_of({dag: run.at for dag, run in newest.items()})
    return [
        gauge("dag_last_run_failed", "1: the newest finished run failed.", "dag", failed),
        gauge("dag_last_run_timestamp_seconds", "When the newest finished run ended.", "dag", times),
    ]
