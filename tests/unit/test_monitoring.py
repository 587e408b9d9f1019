"""Prometheus, Alertmanager and Grafana: what they are configured with. Their own tools judge it."""

import json
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.metrics import catalogue, names_in, unknown
from tidemark import alertmanager_server, doctor, prometheus_server
from tidemark.dashboard import dashboard
from tidemark.errors import TidemarkError
from tidemark.monitoring_files import monitoring_files
from tidemark.optional_services import absent
from tidemark.panels import BY_KEY, PANELS, Panel
from tidemark.prometheus_api import PrometheusAway, charted, firing
from tidemark.services import all_services, find_service
from tidemark.settings import Settings

pytestmark = pytest.mark.unit


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", port_offset=1000)


def judged(program: str, *words: str | Path) -> str:
    """Run a tool of theirs; give what it says of a good file."""
    tool = shutil.which(program)
    assert tool, f"there is no {program}: make setup-ops"
    done = subprocess.run([tool, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def webhooks(file: Path) -> list[str]:
    """Give the addresses that Alertmanager sends to."""
    (receiver,) = yaml.safe_load(file.read_text())["receivers"]
    return [each["url"] for each in receiver["webhook_configs"]]


def test_prometheus_asks_for_all_metrics_on_loopback(settings: Settings) -> None:
    prometheus_server.prepare(settings)
    file = prometheus_server.folder(settings) / "prometheus.yaml"
    assert "rules found" in judged("promtool", "check", "config", file)
    asked = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in yaml.safe_load(file.read_text())["scrape_configs"]
    }
    assert asked == {
        "streams": ["127.0.0.1:10108"],
        "metrics": ["127.0.0.1:10109"],
        "prometheus": ["127.0.0.1:10090"],
        "alertmanager": ["127.0.0.1:10094"],
    }
    command = find_service(settings, "prometheus").command
    assert {"--web.listen-address=127.0.0.1:10090", "--storage.tsdb.retention.time=15d"} <= set(command)


def test_alertmanager_is_alone_on_loopback_and_sends_to_our_own_log_unless_told(settings: Settings) -> None:
    alertmanager_server.prepare(settings)
    file = alertmanager_server.folder(settings) / "alertmanager.yaml"
    assert "SUCCESS" in judged("amtool", "check-config", file)
    assert webhooks(file) == ["http://127.0.0.1:10109/alerts"]
    for severity in ("critical", "warning"):
        route = ("config", "routes", "test", f"--config.file={file}", f"severity={severity}", "alertname=NoProgress")
        assert judged("amtool", *route).strip() == "people"
    command = find_service(settings, "alertmanager").command
    assert {"--web.listen-address=127.0.0.1:10094", "--cluster.listen-address="} <= set(command)


def test_address_of_the_webhook_is_read_from_a_file_and_stays_private(tmp_path: Path) -> None:
    secret = tmp_path / "webhook"
    secret.write_text("https://far.example/hooks/5ec4e7\n")
    settings = Settings(home=tmp_path / "home", alert_webhook_file=str(secret))
    alertmanager_server.prepare(settings)
    file = alertmanager_server.folder(settings) / "alertmanager.yaml"
    judged("amtool", "check-config", file)
    assert [url.rpartition("/")[2] for url in webhooks(file)] == ["alerts", "5ec4e7"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any("5ec4e7" in each for each in (repr(settings), *find_service(settings, "alertmanager").command))


@pytest.mark.parametrize("text", ["", "ftp://far/5ec4e7", "https://a/5ec4e7 https://b", "5ec4e7", "https://[5ec4e7"])
def test_a_file_without_an_address_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "webhook").write_text(text)
    for file in (tmp_path / "webhook", tmp_path / "nowhere"):
        with pytest.raises(TidemarkError, match="TIDEMARK_ALERT_WEBHOOK_FILE: ") as refused:
            alertmanager_server.webhook(Settings(home=tmp_path, alert_webhook_file=str(file)))
        assert "5ec4e7" not in str(refused.value)


def test_a_machine_without_them_does_without_and_says_so(settings: Settings, redis_program: Path) -> None:
    assert absent(settings) == []
    for name in ("prometheus", "prometheus-alertmanager"):
        (redis_program.parent / name).unlink()
    assert [line.partition("\n  fix: ")[::2] for line in absent(settings)] == [
        ("prometheus is not installed: no metrics are kept, and nothing alerts", "make setup-ops"),
        ("alertmanager is not installed: no alert is sent", "make setup-ops"),
    ]
    assert not doctor.prometheus(settings).is_ok
    for server in (prometheus_server, alertmanager_server):
        with pytest.raises(TidemarkError, match="is not installed"):
            server.prepare(settings)


def test_neither_is_ours_where_another_prometheus_is_named(tmp_path: Path, redis_program: Path) -> None:
    elsewhere = Settings(home=tmp_path, prometheus_url="http://far:9090/")
    assert elsewhere.prometheus_address == "http://far:9090"
    assert {"prometheus", "alertmanager"} & {each.name for each in all_services(elsewhere)} == set()
    redis_program.parent.joinpath("prometheus").unlink()
    assert absent(elsewhere) == []
    assert doctor.prometheus(elsewhere).is_ok


def test_a_prometheus_that_is_away_is_named_and_nobody_is_told_that_all_is_well(tmp_path: Path) -> None:
    away = Settings(home=tmp_path, prometheus_url="http://127.0.0.1:1")
    with pytest.raises(PrometheusAway, match="Prometheus does not answer") as told:
        firing(away)
    assert told.value.exit_code == 2
    with pytest.raises(PrometheusAway):
        charted(away, PANELS[0], 60)


def test_every_panel_is_promql(tmp_path: Path) -> None:
    queries = [query for panel in PANELS for query in panel.queries]
    rules = [{"record": f"panel:{number}", "expr": query.expression} for number, query in enumerate(queries)]
    (tmp_path / "panels.yaml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert len(PANELS) >= 25 and len(BY_KEY) == len(PANELS)
    assert f"{len(queries)} rules found" in judged("promtool", "check", "rules", tmp_path / "panels.yaml")


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.key)
def test_panel_uses_only_metrics_and_labels_of_the_catalogue(panel: Panel) -> None:
    metrics = {series: metric for metric in catalogue().values() for series in metric.series}
    assert unknown(query.expression for query in panel.queries) == set()
    for query in panel.queries:
        used = {label for name in names_in(query.expression) for label in metrics[name].labels}
        assert names_in(query.expression)
        assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= used


@pytest.mark.parametrize("path", monitoring_files(), ids=lambda path: path.name)
def test_what_containers_read_is_up_to_date(path: Path) -> None:
    assert path.read_text() == monitoring_files()[path], "run `tidemark provision`"


def test_every_panel_has_a_place_of_its_own_on_the_dashboard() -> None:
    shown = json.loads(dashboard())["panels"]
    charts = [panel for panel in shown if panel["type"] == "timeseries"]
    assert [chart["title"] for chart in charts] == [panel.title for panel in PANELS]
    assert len({panel["id"] for panel in shown}) == len(shown)
    cells = [
        (x, y)
        for panel in shown
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24
