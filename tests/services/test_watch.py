"""A look at the streams with a real Kafka, real tables and the streams' own health page; a restart by supervisord."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from streaming.health import serve_health
from streaming.host import StreamState
from streaming.streams.bronze import BronzeStream
from tests.exposition import Exposition
from tests.kafka import Broker, free_ports
from tests.streams import land, ride, ride_contract, send, settings_in
from tidemark import lifecycle
from tidemark.cli import command_line
from tidemark.contracts import Contract
from tidemark.incidents import Finding, remember
from tidemark.metric_sources.kafka import Kafka
from tidemark.prove import prove
from tidemark.services import settings_environment
from tidemark.settings import Settings
from tidemark.supervisor import Supervisor
from tidemark.watch import findings, last_look, looked, mend

pytestmark = pytest.mark.services

WEEK = 7 * 24 * 3600  # seconds


@pytest.fixture
def in_environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    def into(settings: Settings) -> None:
        for variable, value in settings_environment(settings).items():
            monkeypatch.setenv(variable, value)

    return into


def watched() -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(command_line(), ["watch", "--json"])
    return done.exit_code, json.loads(done.stdout or "{}")


def test_a_stream_that_takes_nothing_is_stuck_until_it_goes_on(
    tmp_path: Path, kafka: Broker, spark: SparkSession, in_environment: Any
) -> None:
    contract = ride_contract(tmp_path / "contracts", kafka.topic(partitions=2, retention_ms=str(WEEK * 1000)))
    (port,) = free_ports(1)
    ours = {"contracts_dir": tmp_path / "contracts", "TIDEMARK_STREAMS_PORT": port}
    settings = settings_in(tmp_path / "home", kafka, **ours)
    in_environment(settings)
    stream = BronzeStream(contract, settings)
    send(kafka, contract.topic, [*map(ride, range(9)), b"no ride"])
    land(stream, spark)
    pending = Pending(settings, contract)
    first = pending.look()
    assert pending.behind == 0 and abs(first - time.time() - WEEK) < 60
    code, look = watched()
    assert (code, [each["kind"] for each in look["incidents"]]) == (1, ["process_stopped"])
    with serve_health(settings, [StreamState(stream, "running")]):
        send(kafka, contract.topic, map(ride, range(5)))
        code, look = watched()
        assert (code, look["incidents"]) == (0, [])
        assert [(each["name"], each["lag"]) for each in look["streams"]] == [("bronze_ride_events", 5)]
        said = json.loads(CliRunner().invoke(command_line(), ["status", "--json"]).stdout)["streams"]
        assert [(each["name"], each["lag"]) for each in said] == [("bronze_ride_events", 5)]
        (rides,) = look["contracts"]
        assert (rides["recent_rows"], rides["recent_quarantined"], rides["verdict"]) == (10, 1, None)
        assert [(each["name"], each["rows"]) for each in look["tables"]] == [("ride_events", 10)]

        def found() -> list[str]:
            later = datetime.now(UTC) + timedelta(minutes=3)
            look = looked(settings, {contract.id: contract}, last_look(settings), later)
            return [each.kind for each in findings(look, settings)]

        assert found() == ["stuck"]
        assert (pending.look(), pending.behind) == (first, 5)
        prove(settings, contract, wait_seconds=0)
        assert first < pending.look() < first + 60, "the first ten are proven, five wait"
        land(stream, spark)
        assert found() == []
        prove(settings, contract)
        assert (pending.look(), pending.behind) == (0, 0)


class Pending:
    """What the exporter tells of a contract's topic."""

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self._kafka = Kafka(settings, {contract.id: contract})
        self._contract = contract
        self.behind: float | None = None

    def look(self) -> float:
        """Look at how far bronze is behind; give when the first unproven record may be forgotten, 0: there is none."""
        found = Exposition(self._kafka.look(datetime.now(UTC)))
        contract = self._contract
        self.behind = found.value("stream_behind_offsets", stream=contract.bronze_query, topic=contract.topic)
        return found.value("source_expires_timestamp_seconds", contract=contract.id) or 0


def test_who_could_not_look_says_nothing_of_incidents(tmp_path: Path, in_environment: Any) -> None:
    in_environment(Settings(home=tmp_path, contracts_dir=tmp_path / "none"))
    assert watched() == (2, {})


def test_a_process_is_restarted_once_for_an_incident(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    settings = Settings.model_validate({"home": tmp_path, "TIDEMARK_REDIS_PORT": port})
    lines: list[str] = []
    now = datetime.now(UTC)
    silent, stuck = (Finding(kind, "redis", now, "it hangs", "docs/x.md") for kind in ("process_silent", "stuck"))  # type: ignore[arg-type]
    opened = remember(settings, [silent], now - timedelta(minutes=5))
    opened += [each for each in remember(settings, [silent, stuck], now) if each.kind == "stuck"]  # too young
    assert mend(settings, opened, lines.append, "redis") == opened
    try:
        lifecycle.up(settings, "redis", lines.append)
        first = Supervisor(settings).processes()["redis"].pid
        noted = mend(settings, opened, lines.append, "redis")
        second = Supervisor(settings).processes()["redis"].pid
        assert mend(settings, remember(settings, [], now, may_close=False), lines.append, "redis") == noted
        assert first != second == Supervisor(settings).processes()["redis"].pid
    finally:
        lifecycle.down(settings, "redis", lines.append)
    assert [line for line in lines if "process_silent" in line] == [
        "redis (process_silent): not restarted: it is not run by this machine's supervisor",
        "redis (process_silent): restarting redis, once for each incident",
    ]
