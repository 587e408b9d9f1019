"""A real Prometheus and a real Alertmanager: what panels show, what alerts say, and what is kept quiet."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from typer.testing import CliRunner

from tests.kafka import dies_with_us, own_ports
from tests.metrics import Metric, catalogue
from tests.streams import wait_until
from tidemark import alertmanager_server, prometheus_server
from tidemark.cli import command_line
from tidemark.panels import BY_KEY, PANELS, Panel
from tidemark.prometheus_api import charted, firing
from tidemark.services import Service, find_service, settings_environment
from tidemark.settings import Settings

pytestmark = pytest.mark.services

VALUES = {"state": ("running", "refused"), "le": ("0.5", "+Inf")}


class Answering:
    """A server that answers each GET with a text, and keeps what is posted."""

    def __init__(self, port: int, answer: str = "") -> None:
        self.asked = 0
        self.posted: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                self._end(answer.replace("{asked}", str(outer.asked)).encode())

            def do_POST(self) -> None:
                outer.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._end(b"")

            def _end(self, body: bytes) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)

    @contextmanager
    def serving(self) -> Iterator["Answering"]:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()


def exposed(metrics: Mapping[str, Metric]) -> str:
    """Write every metric as it is told, two of each; counters grow with each look."""
    lines: list[str] = []
    for name, metric in metrics.items():
        for number in range(2):
            labels = {label: VALUES.get(label, ("a", "b"))[number] for label in metric.labels}
            lines += lines_of(name, metric, labels)
    return "\n".join(dict.fromkeys(lines)) + "\n"


def lines_of(name: str, metric: Metric, labels: Mapping[str, str]) -> Iterator[str]:
    told = ",".join(f'{label}="{value}"' for label, value in labels.items())
    if metric.kind == "histogram":
        for bound in ("0.5", "+Inf"):
            yield f'{name}_bucket{{{told},le="{bound}"}} {{asked}}'
        yield f"{name}_sum{{{told}}} {{asked}}"
        yield f"{name}_count{{{told}}} {{asked}}"
        return
    yield f"{name}{{{told}}} {'{asked}' if metric.kind == 'counter' else 1}"


@contextmanager
def running(settings: Settings, service: Service, file: Path) -> Iterator[None]:
    """Run a service with its own configuration, but at the pace of a test."""
    assert service.prepare
    service.prepare(settings)
    file.write_text(re.sub(r"\b1[05]s\b", "1s", file.read_text()))
    command = [*dies_with_us(), *service.command]
    with (file.parent / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=file.parent, stdout=log, stderr=log)
    try:
        wait_until(lambda: service.probe.ready(0), 20, f"{service.name} is ready: {(file.parent / 'log').read_text()}")
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def webhook() -> Iterator[Answering]:
    with Answering(0).serving() as server:
        yield server


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, webhook: Answering) -> Iterator[Settings]:
    """Run both, and tell Prometheus every metric of the catalogue."""
    home = tmp_path_factory.mktemp("monitoring")
    (home / "webhook").write_text(f"http://127.0.0.1:{webhook.server.server_port}/hook\n")
    own = {"home": home, "port_offset": 0, "alert_webhook_file": str(home / "webhook")}
    settings = Settings.model_validate(own | own_ports())
    names = list(catalogue().items())
    where = [name for name, _ in names].index("tidemark_complete_through_timestamp_seconds")
    with ExitStack() as stack:
        for port, part in ((settings.streams_port, names[:where]), (settings.metrics_port, names[where:])):
            stack.enter_context(Answering(port, exposed(dict(part))).serving())
        for server, name in ((prometheus_server, "prometheus"), (alertmanager_server, "alertmanager")):
            file = server.folder(settings) / f"{name}.yaml"
            stack.enter_context(running(settings, find_service(settings, name), file))
        yield settings


def lines(settings: Settings, panel: Panel) -> dict[str, list[float | None]]:
    """Give the lines of a panel that have a value."""
    found = charted(settings, panel, 60)["lines"]
    return {line["name"]: line["values"] for line in found if any(value is not None for value in line["values"])}


def test_every_query_of_every_panel_has_data_and_names_its_lines(settings: Settings) -> None:
    wait_until(lambda: bool(lines(settings, BY_KEY["records-read"])), 60, "rates begin")
    for panel in PANELS:
        found = lines(settings, panel)
        wanted = {query.name_of({}) for query in panel.queries if "{" not in query.legend}
        assert wanted <= set(found), panel.title
        by_label = sum("{" in query.legend for query in panel.queries)
        assert len(set(found) - wanted) == 2 * by_label, f"{panel.title}: {set(found)}"


def test_an_alert_that_fires_says_what_to_do(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tidemark_stream_state` of `b` is `refused`."""
    wait_until(lambda: any(each["name"] == "StreamRefused" for each in firing(settings)), 30, "an alert fires")
    found = firing(settings)
    assert {each["labels"]["severity"] for each in found} >= {"critical", "warning"}
    assert [each["labels"]["severity"] for each in found] == sorted(each["labels"]["severity"] for each in found)
    refused = next(each for each in found if each["name"] == "StreamRefused")
    assert refused["labels"] == {"severity": "critical", "stream": "b"}
    assert refused["summary"] == "b is refused"
    assert refused["runbook"] == "docs/runbooks/stream-refused.md"
    assert "error expanding" not in json.dumps(found)
    for variable, value in settings_environment(settings).items():
        monkeypatch.setenv(variable, value)
    shown = CliRunner().invoke(command_line(["alerts"]), ["alerts", "--json"])
    assert shown.exit_code == 1
    assert "StreamRefused" in {each["name"] for each in json.loads(shown.stdout)}


def alert(name: str, **labels: str) -> dict[str, Any]:
    """Give an alert as Prometheus sends it, with the labels of its rule."""
    groups = yaml.safe_load(prometheus_server.RULES.read_text())["groups"]
    rule = next(rule for group in groups for rule in group["rules"] if rule["alert"] == name)
    return {"labels": rule["labels"] | labels | {"alertname": name}, "annotations": rule["annotations"]}


QUIET = [
    (alert("ServiceDown", service="kafka"), [alert("LagGrowing", stream="a"), alert("NoProgress", stream="a")]),
    (alert("ServiceDown", service="kafka"), [alert("LookOld", source="kafka"), alert("RestartsAnHour", stream="a")]),
    (
        alert("ServiceDown", service="streams"),
        [alert("StreamsMetricsGone"), alert("StateGrowth", stream="a"), alert("LagGrowing", stream="a")],
    ),
    (alert("ServiceDown", service="airflow-api"), [alert("LookOld", source="airflow")]),
    (alert("ExporterGone"), [alert("DiskFull"), alert("GateFailed", table="gold.a"), alert("LookOld", source="lake")]),
    (alert("StreamRefused", stream="a"), [alert("NoProgress", stream="a"), alert("LagGrowing", stream="a")]),
    (alert("RestartsAnHour", stream="a"), [alert("FailedBatches", stream="a")]),
]
LOUD = [
    (alert("ServiceDown", service="redis"), [alert("LagGrowing", stream="a"), alert("LookOld", source="kafka")]),
    (alert("ServiceDown", service="kafka"), [alert("DiskFull"), alert("QuarantineShare", contract="a")]),
    (alert("ExporterGone"), [alert("NoProgress", stream="a"), alert("StreamsMetricsGone")]),
    (alert("StreamRefused", stream="b"), [alert("NoProgress", stream="a")]),
]


def url(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.alertmanager_port}/api/v2/alerts"


def inhibited(settings: Settings, case: str) -> dict[str, bool]:
    """Tell of each alert of a case whether it is kept quiet."""
    told = requests.get(url(settings), params={"filter": f'case="{case}"'}, timeout=10).json()
    return {each["labels"]["role"]: bool(each["status"]["inhibitedBy"]) for each in told}


@pytest.mark.parametrize(
    ("case", "source", "others", "are_quiet"),
    [
        (f"{kind}-{number}", source, others, kind == "quiet")
        for kind, cases in (("quiet", QUIET), ("loud", LOUD))
        for number, (source, others) in enumerate(cases)
    ],
)
def test_what_follows_from_another_alert_is_kept_quiet(
    settings: Settings, case: str, source: dict[str, Any], others: list[dict[str, Any]], are_quiet: bool
) -> None:
    posted = [source, *others]
    for number, each in enumerate(posted):
        labels = each["labels"] | {"case": case, "role": str(number)}
        requests.post(url(settings), json=[each | {"labels": labels}], timeout=10).raise_for_status()
    wait_until(lambda: len(inhibited(settings, case)) == len(posted), 10, "the alerts are taken")
    expected = {str(number): are_quiet and number > 0 for number in range(len(posted))}
    try:
        assert inhibited(settings, case) == expected
    finally:
        ended = [
            each | {"labels": each["labels"] | {"case": case, "role": str(number)}, "endsAt": "2020-01-01T00:00:00Z"}
            for number, each in enumerate(posted)
        ]
        requests.post(url(settings), json=ended, timeout=10).raise_for_status()


def test_alerts_of_one_sort_are_one_message(settings: Settings, webhook: Answering) -> None:
    both = [alert("SmallFiles", table=table) for table in ("speed.one", "speed.two")]
    requests.post(url(settings), json=both, timeout=10).raise_for_status()

    def told() -> list[set[str]]:
        groups = [message["alerts"] for message in webhook.posted]
        return [{each["labels"]["table"] for each in group if "table" in each["labels"]} for group in groups]

    wait_until(
        lambda: {"speed.one", "speed.two"} in [each & {"speed.one", "speed.two"} for each in told()], 30, "a message"
    )
