"""Every stream at once, killed, then robbed of its checkpoint: each table has exactly what plain Python makes of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from deltalake import DeltaTable

from tests.e2e.everything import Everything, Row, Sent, later, payment_fields
from tests.fraud import Payment, found
from tests.fraud import by_hand as fraud_by_hand
from tests.kafka import Broker, free_ports, running_broker
from tests.log_lines import rates_by_hand
from tests.redis_server import RedisServer, running_redis
from tests.registry import RegistryServer, running_registry
from tests.sensors import minutes_by_hand, silences_by_hand
from tests.sessions import sessions_by_hand
from tests.streams import wait_until
from tests.windows import by_hand as rides_by_hand
from tests.windows import sold_by_hand
from tidemark.avro_records import avro_encoder
from tidemark.contracts import read_contracts
from tidemark.settings import ROOT, Settings
from tidemark.topics import Topics

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

WITHIN = 180.0
UNKNOWN = (b"\x00" + (10**6).to_bytes(4, "big") + b"x", b"k")  # a schema that the registry does not know


class House:
    """The streams' process, its services, and what it is sent."""

    def __init__(self, home: Path, broker: Broker, registry: RegistryServer, redis: RedisServer) -> None:
        self.settings = Settings.model_validate(
            {
                "home": home,
                "kafka_bootstrap": broker.bootstrap,
                "registry_url": registry.url,
                "redis_url": f"redis://127.0.0.1:{redis.settings.redis_port}/0",
                "TIDEMARK_STREAMS_PORT": free_ports(1)[0],
            }
        )
        self.redis = redis
        self.contracts = read_contracts(ROOT / "contracts")
        # In the past, so that the time which closes its windows is not in the future: streams leave that out.
        self.everything = Everything(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1))
        self._topics = Topics(broker.bootstrap)
        self._producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5, "log_level": 0})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        names = ("home", "kafka_bootstrap", "registry_url", "redis_url")
        environment = {f"TIDEMARK_{name.upper()}": str(getattr(self.settings, name)) for name in names}
        environment |= {"TIDEMARK_STREAMS_PORT": str(self.settings.streams_port), "TIDEMARK_LOG_LEVEL": "WARNING"}
        environment["TIDEMARK_STREAMS_SHARE"] = "1"  # all that a micro-batch is waited for comes at once
        command = [sys.executable, "-m", "streaming.run"]
        with (self.settings.home / "streams.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log)
        wait_until(self._all_run, WITHIN, f"all streams run: see {self.settings.home / 'streams.log'}")

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait(30)

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)

    def send(self) -> None:
        payments = len(self.everything.payments)
        self._produce(self.everything.more())
        self.pay(self.everything.payments[payments:])

    def pay(self, payments: list[tuple[Payment, str | None]]) -> None:
        encode = avro_encoder(self.contracts["card_payments"], self.settings.registry_address)
        sent: list[Sent] = [(encode(payment_fields(*each)), b"k") for each in payments]
        self._produce({"card_payments": [*sent, UNKNOWN, UNKNOWN]})

    def move_on(self, at: datetime) -> None:
        """Let event time pass in the topics whose windows are written when they close."""
        self._produce(later(at))
        self.pay([(Payment("later", "later", "later", "DE", at), "later")] * 2)

    def await_taken(self) -> None:
        """Wait until every query has committed all that its topics have."""
        wait_until(self._all_taken, WITHIN, "all streams have taken everything")

    def table(self, name: str) -> list[Row]:
        rows: list[Row] = DeltaTable(self.settings.table("speed", name)).to_pyarrow_table().to_pylist()
        return rows

    def _produce(self, records: Mapping[str, list[Sent]]) -> None:
        for topic, sent in records.items():
            for number, (value, key) in enumerate(sent):
                self._producer.produce(topic, value, key, partition=number % 2)
        assert self._producer.flush(30) == 0

    def _states(self) -> list[Row]:
        address = f"http://127.0.0.1:{self.settings.streams_port}/streams"
        with urllib.request.urlopen(address, timeout=5) as answer:
            states: list[Row] = json.load(answer)
        return states

    def _all_run(self) -> bool:
        assert self._process and self._process.poll() is None, (self.settings.home / "streams.log").read_text()[-3000:]
        try:
            return all(state["state"] == "running" for state in self._states())
        except OSError:
            return False

    def _all_taken(self) -> bool:
        ends = {
            topic: {part: each.high for part, each in self._topics.bounds(topic).items()}
            for topic in (contract.topic for contract in self.contracts.values())
        }
        checkpoints = [self.settings.checkpoint(state["name"]) for state in self._states()]
        return all(_taken(path, ends) for path in checkpoints)


def _taken(checkpoint: Path, ends: Mapping[str, Mapping[int, int]]) -> bool:
    newest = max((int(path.name) for path in (checkpoint / "commits").glob("[0-9]*")), default=-1)
    if newest < 0:
        return False
    sources = map(json.loads, (checkpoint / "offsets" / str(newest)).read_text().splitlines()[2:])
    found = {
        topic: {int(part): end for part, end in parts.items()} for each in sources for topic, parts in each.items()
    }
    return all(parts == ends[topic] for topic, parts in found.items())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "kafka").mkdir()
    redis_port = Settings.model_validate({"home": tmp_path / "redis", "TIDEMARK_REDIS_PORT": free_ports(1)[0]})
    with (
        running_broker(tmp_path / "kafka") as broker,
        running_registry(tmp_path / "registry") as registry,
        running_redis(redis_port) as redis,
    ):
        house = House(tmp_path / "home", broker, registry, redis)
        house.settings.home.mkdir()
        yield house
        house.stop()


def test_every_table_is_what_plain_python_makes_of_it_over_a_kill_and_lost_checkpoints(house: House) -> None:
    house.start()
    house.send()
    wait_until(lambda: bool(house.table("ride_counts")), WITHIN, "the first windows are written")
    house.send()
    house.kill()
    house.start()
    house.send()
    house.await_taken()
    house.kill()
    shutil.rmtree(house.settings.home / "checkpoints")
    house.start()
    house.send()
    house.await_taken()
    end = house.everything.now + timedelta(minutes=50)
    house.move_on(end)
    due = {name: wanted(house) for name, (_, wanted) in EXPECTED.items()}
    assert all(due.values())
    with suppress(AssertionError):  # what differs is told below
        wait_until(lambda: not _differences(house, due), WITHIN, "every table is what it is to be")
    assert _differences(house, due) == {}


def _differences(house: House, due: Mapping[str, Any]) -> dict[str, str]:
    found = {name: seen(house) for name, (seen, _) in EXPECTED.items()}
    return {name: _difference(found[name], wanted) for name, wanted in due.items() if found[name] != wanted}


def _difference(seen: Any, due: Any) -> str:
    listed = [set(map(str, each.items() if isinstance(each, dict) else each)) for each in (seen, due)]
    lacking, extra = sorted(listed[1] - listed[0]), sorted(listed[0] - listed[1])
    return f"{len(seen)} for {len(due)}; lacks {len(lacking)}: {lacking[:2]}; has {len(extra)} more: {extra[:2]}"


Check = tuple[Callable[[House], Any], Callable[[House], Any]]


def _rides(house: House) -> Any:
    rows = house.table("ride_counts")
    columns = ("event_type", "window_start", "window_end", "count_events")
    return {tuple(row[name] for name in columns) for row in rows if row["event_type"] != "later"}


def _sales(house: House) -> Any:
    return {
        (row["product_id"], row["window_start"]): (row["quantity"], row["revenue"])
        for row in house.table("product_sales")
    }


def _sales_due(house: House) -> Any:
    return {key: (sold.quantity, sold.revenue) for key, sold in sold_by_hand(house.everything.sales).items()}


def _in_redis(house: House) -> Any:
    return {
        name: (int(found["quantity"]), float(found["revenue"])) for name, found in house.redis.hashes("product").items()
    }


def _in_redis_due(house: House) -> Any:
    newest = sorted(_sales_due(house).items(), key=lambda item: item[0][1])
    return {product: sold for (product, _), sold in newest}


def _sessions(house: House) -> Any:
    ours = ("is_final", "updated_at")
    rows = [{name: value for name, value in row.items() if name not in ours} for row in house.table("sessions")]
    return sorted(rows, key=lambda row: (row["visitor_id"], row["window_start"]))


def _fraud(house: House) -> Any:
    return found(house.table("fraud_alerts"))


def _minutes(house: House) -> Any:
    rows = [row for row in house.table("sensor_anomalies") if row["sensor_id"] != "later"]
    return {
        (row["sensor_id"], row["window_start"]): (
            row["count_readings"],
            row["count_baseline"],
            frozenset(each["reading_id"] for each in row["anomalies"]),
        )
        for row in rows
    }


def _silences(house: House) -> Any:
    return {(row["sensor_id"], row["silent_from"]) for row in house.table("silence_sensor_readings")}


def _silences_due(house: House) -> Any:
    everything = house.everything
    return silences_by_hand(everything.readings, timedelta(minutes=5), everything.now + timedelta(minutes=45))


def _customers(house: House) -> Any:
    names = ("name", "country", "op", "source_lsn", "changed_at", "is_deleted")
    return {row["customer_id"]: tuple(row[name] for name in names) for row in house.table("customers")}


def _customers_due(house: House) -> Any:
    names = ("name", "country", "op", "source_lsn", "changed_at", "is_deleted")
    return {key: tuple(each[name] for name in names) for key, each in house.everything.newest_changes().items()}


def _history(house: House) -> Any:
    rows = house.table("customers_history")
    assert len({row["source_lsn"] for row in rows}) == len(rows)
    return {row["source_lsn"]: row["name"] for row in rows}


def _logs(house: House) -> Any:
    ours = ("is_final", "updated_at")
    rows = [{name: value for name, value in row.items() if name not in ours} for row in house.table("log_errors")]
    return sorted(rows, key=lambda row: (row["service"], row["window_start"]))


def _paid_rides(house: House) -> Any:
    rows = [row for row in house.table("payment_rides") if row["payment_id"] != "later"]
    return {row["payment_id"]: (row["ride_event_id"], row["is_matched"]) for row in rows}


def _paid_rides_due(house: House) -> Any:
    known = {name for name, _ in house.everything.rides}
    return {payment.payment_id: (ride, ride in known) for payment, ride in house.everything.payments if ride}


def _enriched(house: House) -> Any:
    return {row["payment_id"] for row in house.table("payments_enriched")} - {"later"}


EXPECTED: Mapping[str, Check] = {
    "ride_counts": (_rides, lambda house: rides_by_hand(event for _, event in house.everything.rides)),
    "product_sales": (_sales, _sales_due),
    "Redis": (_in_redis, _in_redis_due),
    "sessions": (_sessions, lambda house: list(sessions_by_hand(house.everything.views))),
    "fraud_alerts": (_fraud, lambda house: fraud_by_hand(payment for payment, _ in house.everything.payments)),
    "sensor_anomalies": (_minutes, lambda house: minutes_by_hand(house.everything.readings)),
    "silences": (_silences, _silences_due),
    "customers": (_customers, _customers_due),
    "customers_history": (
        _history,
        lambda house: {each["source_lsn"]: each["name"] for each in house.everything.changes},
    ),
    "log_errors": (_logs, lambda house: list(rates_by_hand(house.everything.logged))),
    "payment_rides": (_paid_rides, _paid_rides_due),
    "payments_enriched": (_enriched, lambda house: {payment.payment_id for payment, _ in house.everything.payments}),
}
