"""The embedded Prometheus: one server on loopback that asks for all metrics and judges the alerts."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tidemark.errors import TidemarkError
from tidemark.settings import ROOT, Settings

INSTALL = "make setup-ops"
RULES = ROOT / "alerts" / "rules.yaml"

_PROGRAM = "prometheus"
_EVERY = "15s"  # the exporter looks as often; an alert of two minutes stands on eight samples


def folder(settings: Settings) -> Path:
    """Say where the server keeps its configuration and data."""
    return settings.home.absolute() / "prometheus"


def program() -> str | None:
    """Find the server's program; None where it is not installed."""
    return shutil.which(_PROGRAM)


def server_command(settings: Settings) -> tuple[str, ...]:
    """Give the command line of the server."""
    return (
        program() or _PROGRAM,
        f"--config.file={folder(settings) / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder(settings) / 'data'}",
        f"--storage.tsdb.retention.time={settings.metrics_retention_days}d",
        f"--web.listen-address={settings.host}:{settings.prometheus_port}",
        "--log.level=warn",
    )


def targets(settings: Settings) -> dict[str, str]:
    """Give the address of each job that is asked for its metrics, on one machine."""
    ports = {
        "streams": settings.streams_port,
        "metrics": settings.metrics_port,
        "prometheus": settings.prometheus_port,
        "alertmanager": settings.alertmanager_port,
    }
    return {job: f"{settings.host}:{port}" for job, port in ports.items()}


def configuration(addresses: Mapping[str, str], rules: str) -> str:
    """Give the server's configuration.

    Args:
        addresses: of each job; alerts go to that of the Alertmanager.
        rules: the file of the alerts' rules, as the server finds it.
    """
    jobs = [{"job_name": job, "static_configs": _at(address)} for job, address in addresses.items()]
    written = {
        "global": {"scrape_interval": _EVERY, "scrape_timeout": "10s", "evaluation_interval": _EVERY},
        "rule_files": [rules],
        "alerting": {"alertmanagers": [{"static_configs": _at(addresses["alertmanager"])}]},
        "scrape_configs": jobs,
    }
    return yaml.safe_dump(written, sort_keys=False)


def prepare(settings: Settings) -> None:
    """Write the configuration.

    Raises:
        TidemarkError: the server is not installed.
    """
    if program() is None:
        raise TidemarkError(f"{_PROGRAM} is not installed", INSTALL)
    folder(settings).mkdir(parents=True, exist_ok=True)
    text = configuration(targets(settings), str(RULES))
    (folder(settings) / "prometheus.yaml").write_text(text, encoding="utf-8")


def _at(address: str) -> list[dict[str, Any]]:
    return [{"targets": [address]}]
