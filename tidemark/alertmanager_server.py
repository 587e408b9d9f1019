"""The embedded Alertmanager: it groups alerts, keeps quiet what follows from another, and sends the rest."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tidemark import alert_log
from tidemark.errors import TidemarkError
from tidemark.private_files import private_folder, write_private
from tidemark.prometheus_server import INSTALL
from tidemark.settings import Settings

GROUP_WAIT = 15  # seconds: what fires together is sent together

_PROGRAM = "prometheus-alertmanager"
_RECEIVER = "people"

# An alert of the left keeps quiet those of the right; `equal` labels must be the same on both.
_INHIBITIONS: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (('alertname="ServiceDown"', 'service="kafka"'), ('needs="kafka"',), ()),
    (('alertname="ServiceDown"', 'service="kafka"'), ('alertname="LookOld"', 'source="kafka"'), ()),
    (('alertname="ServiceDown"', 'service="streams"'), ('told_by="streams"',), ()),
    (('alertname="ServiceDown"', 'service="streams"'), ('alertname=~"StreamsMetricsGone|LagGrowing"',), ()),
    (('alertname="ServiceDown"', 'service=~"airflow.*"'), ('alertname="LookOld"', 'source="airflow"'), ()),
    (('alertname="ExporterGone"',), ('told_by="exporter"',), ()),
    (('alertname=~"StreamRefused|StreamStopped"',), ('alertname=~"NoProgress|LagGrowing"',), ("stream",)),
    (('alertname="RestartsAnHour"',), ('alertname="FailedBatches"',), ("stream",)),
)


def folder(settings: Settings) -> Path:
    """Say where the server keeps its configuration and data."""
    return settings.home.absolute() / "alertmanager"


def program() -> str | None:
    """Find the server's program; None where it is not installed."""
    return shutil.which(_PROGRAM)


def server_command(settings: Settings) -> tuple[str, ...]:
    """Give the command line of the server."""
    return (
        program() or _PROGRAM,
        f"--config.file={folder(settings) / 'alertmanager.yaml'}",
        f"--storage.path={folder(settings) / 'data'}",
        f"--web.listen-address={settings.host}:{settings.alertmanager_port}",
        "--cluster.listen-address=",  # it is alone
        "--log.level=warn",
    )


def configuration(*webhooks: str) -> str:
    """Give the server's configuration.

    Args:
        webhooks: the addresses that alerts are sent to; none: they are shown, and sent nowhere.
    """
    receiver: dict[str, Any] = {"name": _RECEIVER}
    if webhooks:
        receiver["webhook_configs"] = [{"url": url, "send_resolved": True} for url in webhooks]
    written = {
        "route": {
            "receiver": _RECEIVER,
            # One message for all streams that lag, not one for each.
            "group_by": ["alertname"],
            "group_wait": f"{GROUP_WAIT}s",
            "group_interval": "5m",
            "repeat_interval": "12h",
            "routes": [{"matchers": ['severity="critical"'], "receiver": _RECEIVER, "repeat_interval": "1h"}],
        },
        "inhibit_rules": [_inhibition(*each) for each in _INHIBITIONS],
        "receivers": [receiver],
    }
    return yaml.safe_dump(written, sort_keys=False)


def prepare(settings: Settings) -> None:
    """Write the configuration, for its owner alone: the webhook's address may be a secret.

    Raises:
        TidemarkError: the server is not installed, or the webhook's file is not to be read.
    """
    if program() is None:
        raise TidemarkError(f"{_PROGRAM} is not installed", INSTALL)
    text = configuration(alert_log.receiver_url(settings), *filter(None, [webhook(settings)]))
    write_private(private_folder(folder(settings)) / "alertmanager.yaml", text)


def webhook(settings: Settings) -> str:
    """Read the address that alerts are sent to beside the log of alerts; empty where no file is named.

    Raises:
        TidemarkError: the file can't be read, or has no address; what it has is not shown.
    """
    if not settings.alert_webhook_file:
        return ""
    try:
        url = Path(settings.alert_webhook_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        what = f"TIDEMARK_ALERT_WEBHOOK_FILE: {settings.alert_webhook_file}: {type(error).__name__}"
        raise TidemarkError(what, "let it name a file with one address") from None
    if not _is_address(url):
        what = f"TIDEMARK_ALERT_WEBHOOK_FILE: {settings.alert_webhook_file}: it does not have an address alone"
        raise TidemarkError(what, "write http://... or https://... into it, and nothing else")
    return url


def _is_address(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).hostname) and len(url.split()) == 1
    except ValueError:
        return False


def _inhibition(source: tuple[str, ...], target: tuple[str, ...], equal: tuple[str, ...]) -> dict[str, Any]:
    return {"source_matchers": [*source], "target_matchers": [*target], "equal": [*equal]}
