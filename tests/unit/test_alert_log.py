"""The log of alerts: each message is a line, whoever else posts is refused, and the file does not grow for ever."""

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client import CollectorRegistry, make_wsgi_app, start_http_server

from tests.kafka import free_ports
from tidemark import alert_log
from tidemark.settings import Settings

pytestmark = pytest.mark.unit


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Serve the log, as the exporter does beside its metrics."""
    settings = Settings.model_validate({"home": tmp_path, "TIDEMARK_METRICS_PORT": free_ports(1)[0]})
    registry = CollectorRegistry()
    server, _ = start_http_server(settings.metrics_port, settings.host, registry)
    server.set_app(alert_log.keeping(make_wsgi_app(registry), alert_log.log_file(settings)))
    yield settings
    server.shutdown()
    server.server_close()


def posted(settings: Settings, body: str, kind: str = "application/json") -> int:
    return requests.post(alert_log.receiver_url(settings), body, headers={"Content-Type": kind}, timeout=10).status_code


def test_each_message_is_a_line_and_metrics_are_told_as_before(settings: Settings) -> None:
    messages = [{"status": status, "alerts": [{"labels": {"alertname": "Ä\n"}}]} for status in ("firing", "resolved")]
    threads = [threading.Thread(target=posted, args=(settings, json.dumps(each, indent=2))) for each in messages * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = [json.loads(line) for line in alert_log.log_file(settings).read_text().splitlines()]
    assert sorted(kept, key=str) == sorted(messages * 5, key=str)
    assert requests.get(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind", "answer"),
    [
        ("{}", "text/plain", 415),  # what a web page may send unasked
        ("{", "application/json", 400),
        ('"' + "a" * 2**20 + '"', "application/json", 413),
    ],
    ids=["a web page's", "no JSON", "too large"],
)
def test_what_is_no_message_is_not_kept(settings: Settings, body: str, kind: str, answer: int) -> None:
    assert posted(settings, body, kind) == answer
    assert not alert_log.log_file(settings).exists()


def test_what_a_full_disk_does_not_take_is_to_be_sent_again(settings: Settings) -> None:
    file = alert_log.log_file(settings)
    file.symlink_to("/dev/full")
    assert posted(settings, '{"status": "firing"}') == 507
    file.unlink()


def test_old_messages_make_room(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_log, "_FILE_BYTES", 100)
    own = settings.home / "own.jsonl"
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": alert_log.PATH, "CONTENT_TYPE": "application/json"}
    app = alert_log.keeping(lambda environ, start: [], own)
    for number in range(50):
        body = json.dumps({"number": number}).encode()
        wanted = environ | {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        list(app(wanted, lambda *_: lambda data: None))
    files = sorted(own.parent.glob("own.jsonl*"))
    assert len(files) == 4 and all(each.stat().st_size <= 100 for each in files)
    assert json.loads(own.read_text().splitlines()[-1]) == {"number": 49}
