"""What tests of the streams share: settings, a contract, records, and the rows that landed."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from streaming.host import Stream
from streaming.streams.bronze import BronzeStream
from tests.kafka import Broker
from tidemark.contracts import Contract, read_contract
from tidemark.settings import ROOT, Settings

Row = dict[str, Any]


def settings_in(home: Path, broker: Broker, **changes: Any) -> Settings:
    """Give settings with their state in `home`."""
    return Settings(home=home, kafka_bootstrap=broker.bootstrap, **changes)


def ride_contract(folder: Path, topic: str) -> Contract:
    """Write the ride contract for another topic, in a folder of contracts, and read it."""
    return contract_on("ride_events", folder, topic)


def contract_on(name: str, folder: Path, topic: str) -> Contract:
    """Write a contract of ours for another topic, in a folder of contracts, and read it."""
    text = (ROOT / "contracts" / f"{name}.yaml").read_text()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text.replace(f"topic: {name}", f"topic: {topic}"))
    return read_contract(path)


def ride(number: int, **changes: Any) -> bytes:
    """Give a good ride event, with changes."""
    event = {
        "event_id": f"e{number}",
        "user_id": "u1",
        "event_type": "paid",
        "amount": 2.5,
        "ts": time.time_ns() // 10**6,
    }
    return json.dumps(event | changes).encode()


def send(broker: Broker, topic: str, values: Iterable[bytes | None], partition: int = -1) -> None:
    """Send records and wait until all are acknowledged; -1: Kafka chooses the partition."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5, "log_level": 0})
    failures: list[Any] = []
    for number, value in enumerate(values):
        key = f"k{number}".encode()
        producer.produce(
            topic, value, key, partition, on_delivery=lambda error, _: failures.append(error) if error else None
        )
        producer.poll(0)
    assert producer.flush(30) == 0
    assert not failures


def land(stream: Stream, spark: SparkSession) -> None:
    """Start a stream, let it take everything there is, and stop it."""
    query = stream.start(spark)
    try:
        query.processAllAvailable()
    finally:
        query.stop()


def landed(broker: Broker, settings: Settings, contract: Contract, spark: SparkSession) -> list[Row]:
    """Run a contract's bronze stream over everything there is, and give the rows of its table."""
    land(BronzeStream(contract, settings), spark)
    return rows(settings, contract)


def rows(settings: Settings, contract: Contract) -> list[Row]:
    """Give the rows of a bronze table in the order of their positions."""
    table = DeltaTable(settings.table("bronze", contract.id)).to_pyarrow_table()
    return sorted(table.to_pylist(), key=lambda row: (row["_partition"], row["_offset"]))


def positions(found: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Give the source positions of rows."""
    return [(row["_partition"], row["_offset"]) for row in found]


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until a condition holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)  # between two looks: the condition is what ends the wait
