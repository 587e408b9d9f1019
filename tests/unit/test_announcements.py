"""What the streams tell Airflow, when, and what they do without it."""

import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from streaming.announcements import Announcements
from tidemark.airflow_env import ADMIN, password_file
from tidemark.ledger import Label
from tidemark.settings import Settings

pytestmark = pytest.mark.unit

MINUTES = 60.0


class Airflow(HTTPServer):
    """Answers as Airflow's REST API does, as far as an asset's event goes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.assets: list[dict[str, Any]] = [{"id": 8, "uri": "bronze/rides_old"}, {"id": 7, "uri": "bronze/rides"}]
        self.events: list[dict[str, Any]] = []
        self.is_refusing = False


class _Answers(BaseHTTPRequestHandler):
    server: Airflow

    def do_GET(self) -> None:
        assert self.path.startswith("/api/v2/assets?uri_pattern=bronze%2Frides")
        self._answer({"assets": self.server.assets})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v2/assets/events" and not self.server.is_refusing:
            assert self.headers["Authorization"] == "Bearer t"
            self.server.events.append(body)
        self._answer({"access_token": "t"}, 403 if self.server.is_refusing and "events" in self.path else 200)

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    with Airflow() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def settings(tmp_path: Path, airflow: Airflow) -> Settings:
    settings = Settings.model_validate({"home": tmp_path, "TIDEMARK_AIRFLOW_PORT": airflow.server_port})
    password_file(settings).parent.mkdir(parents=True)
    password_file(settings).write_text(json.dumps({ADMIN: "x"}))
    return settings


def ingest(settings: Settings, batch: int) -> None:
    label = Label("ingest", "bronze_rides", batch, "check", "rides", "id", {0: (batch, batch + 1)}, "1.0.0")
    stamp = CommitProperties(custom_metadata={"userMetadata": label.to_json()})
    rows = pa.table({"_offset": [batch]})
    write_deltalake(settings.table("bronze", "rides"), rows, mode="append", commit_properties=stamp)


def test_a_table_is_announced_when_it_has_moved_and_not_too_often(settings: Settings, airflow: Airflow) -> None:
    announcements = Announcements(settings, ["rides"])
    announcements.look(1000 * MINUTES)
    assert airflow.events == []
    for batch, minute in ((0, 1001), (1, 1010), (2, 1011)):
        ingest(settings, batch)
        announcements.look(minute * MINUTES)
    for minute in (1012, 1030):
        announcements.look(minute * MINUTES)
    Announcements(settings, ["rides"]).look(1060 * MINUTES)  # of a process that was restarted
    told = [
        {"asset_id": 7, "extra": {"table_version": version, "offsets": {"0": version + 1}, "complete_through": None}}
        for version in (0, 2)
    ]
    assert airflow.events == told


def test_what_airflow_did_not_hear_it_hears_the_next_time(
    settings: Settings, airflow: Airflow, caplog: pytest.LogCaptureFixture
) -> None:
    announcements = Announcements(settings, ["rides"])
    ingest(settings, 0)
    password, known = password_file(settings).read_text(), airflow.assets
    with caplog.at_level(logging.WARNING):
        password_file(settings).unlink()
        announcements.look(1000 * MINUTES)
        announcements.look(1001 * MINUTES)
        password_file(settings).write_text(password)
        airflow.assets = known[:1]
        announcements.look(1002 * MINUTES)
        airflow.assets, airflow.is_refusing = known, True
        announcements.look(1003 * MINUTES)
    assert [line.split(":")[0] for line in caplog.messages] == ["Airflow", "rides"]
    airflow.is_refusing = False
    announcements.look(1004 * MINUTES)
    assert len(airflow.events) == 1
