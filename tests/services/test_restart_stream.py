"""One stream is restarted alone, by its contract of now, on the word of whoever owns the home; the others go on."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from streaming.control import Control
from streaming.health import serve_health
from streaming.hosts import Hosts
from streaming.run import made_anew
from streaming.streams.bronze import BronzeStream
from tests.kafka import Broker, free_ports
from tests.proving import run_prove
from tests.streams import contract_on, ride, ride_contract, rows, send, settings_in, wait_until
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.ledger import Ledger, ends
from tidemark.locks import exclusive, owner_lock
from tidemark.settings import Settings
from tidemark.stream_control import restart_stream, token_file

pytestmark = pytest.mark.services

STOPS_WITHIN = 30


@contextmanager
def running(settings: Settings, spark: SparkSession, contracts: list[Contract]) -> Iterator[Hosts]:
    """Run contracts' streams as their process does."""
    with ExitStack() as held:
        owned = {each.bronze_query: held.enter_context(ExitStack()) for each in contracts}
        for name, own in owned.items():
            own.enter_context(exclusive(owner_lock(settings.locks, name), name))
        hosts = Hosts(settings, spark, owned, [BronzeStream(each, settings) for each in contracts])
        held.callback(hosts.stop)
        control = Control(settings, lambda name: hosts.restart(name, partial(made_anew, settings, None)))
        held.enter_context(serve_health(settings, hosts.states, control=control))
        hosts.start(threading.Event())
        yield hosts


def landed(settings: Settings, contract: Contract) -> int:
    newest = Ledger(settings.table("bronze", contract.id)).newest_ingest()
    return sum(ends(newest.label.ranges).values()) if newest and newest.label else 0


def test_a_changed_stream_restarts_alone(tmp_path: Path, kafka: Broker, spark: SparkSession) -> None:
    (port,) = free_ports(1)
    own: dict[str, Any] = {"contracts_dir": tmp_path / "contracts", "TIDEMARK_STREAMS_PORT": port, "port_offset": 0}
    settings = settings_in(tmp_path, kafka, batch_interval_ms=100, **own)
    rides = ride_contract(settings.contracts_dir, kafka.topic())
    sales = contract_on("sales_events", settings.contracts_dir, kafka.topic())
    with running(settings, spark, [rides, sales]) as hosts:
        send(kafka, rides.topic, (ride(number) for number in range(5)))
        send(kafka, sales.topic, [b"{}"])
        wait_until(lambda: (landed(settings, rides), landed(settings, sales)) == (5, 1), 60, "both have landed")
        beside = hosts.states[1].query

        path = settings.contracts_dir / "ride_events.yaml"
        good = path.read_text()
        path.write_text("id: [")
        with pytest.raises(TidemarkError, match=r"ride_events\.yaml"):
            restart_stream(settings, rides.bronze_query)
        assert hosts.states[0].state == "running"
        path.write_text(good.replace("version: 1.0.0", "version: 1.1.0"))
        assert restart_stream(settings, rides.bronze_query) == "bronze_ride_events was restarted"
        send(kafka, rides.topic, (ride(number) for number in range(5, 8)))
        wait_until(lambda: landed(settings, rides) == 8, 60, "the restarted stream lands what comes")

        assert hosts.states[1].query is beside and beside is not None and beside.isActive
        token_file(settings).write_text("another")
        with pytest.raises(TidemarkError, match="token is missing or wrong"):
            restart_stream(settings, rides.bronze_query)
        began = time.monotonic()
    assert time.monotonic() - began < STOPS_WITHIN
    assert [row["_contract_version"] for row in rows(settings, rides)] == ["1.0.0"] * 5 + ["1.1.0"] * 3
    assert run_prove(settings, rides.id, "--wait", "0").exit_code == 0
