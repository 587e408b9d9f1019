"""What Prometheus, Alertmanager and Grafana read in containers: made from what they read on one machine."""

from collections.abc import Mapping
from pathlib import Path

from tidemark import alertmanager_server, prometheus_server
from tidemark.dashboard import DASHBOARD, dashboard
from tidemark.settings import ROOT, Settings

_HEAD = "# Made by `tidemark provision`; don't edit it.\n"
_HOSTS = {"streams": "lakehouse", "metrics": "lakehouse", "prometheus": "prometheus", "alertmanager": "alertmanager"}


def monitoring_files() -> Mapping[Path, str]:
    """Give the text of each file."""
    docker = ROOT / "docker"
    addresses = prometheus_server.targets(Settings.model_construct())
    there = {job: f"{_HOSTS[job]}:{address.rpartition(':')[2]}" for job, address in addresses.items()}
    return {
        docker / "prometheus" / "prometheus.yaml": _HEAD + prometheus_server.configuration(there, "rules.yaml"),
        docker / "alertmanager" / "alertmanager.yaml": _HEAD + alertmanager_server.configuration(),
        DASHBOARD: dashboard(),
    }
