"""`tidemark produce` against a real Kafka: what it says it sent is what is there."""

import json
import os
import re
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from tests.kafka import Broker, free_ports
from tidemark.settings import ROOT
from tidemark.topics import Topics

pytestmark = pytest.mark.services

LZ4 = 3  # Kafka's number of the codec
MESSY = ("--bad-rate", "0.2", "--duplicate-rate", "0.1", "--late-rate", "0.05")


class Folder:
    """A folder of contracts whose topics are nobody else's, and the command line that reads it."""

    def __init__(self, path: Path, bootstrap: str) -> None:
        self.path = path
        self.bootstrap = bootstrap
        self.own = f"_{time.time_ns()}"
        for file in (ROOT / "contracts").glob("*.yaml"):
            self.add(file.stem, file.read_text())

    def add(self, contract: str, text: str) -> None:
        """Add a contract, with a topic of its own."""
        (self.path / f"{contract}.yaml").write_text(re.sub(r"(?m)^topic: .*", f"topic: {self.topic(contract)}", text))

    def topic(self, contract: str) -> str:
        """Give the topic of a contract."""
        return contract + self.own

    def command(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `tidemark produce`."""
        settings = {"TIDEMARK_KAFKA_BOOTSTRAP": self.bootstrap, "TIDEMARK_CONTRACTS_DIR": str(self.path)}
        program = str(Path(sys.executable).with_name("tidemark"))
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [program, "produce", *arguments], env={**os.environ, **settings}, stdout=pipe, stderr=pipe, text=True
        )

    def produce(self, *arguments: str) -> dict[str, Any]:
        """Run `tidemark produce --json` and give what it says."""
        process = self.command(*arguments, "--json")
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        said: dict[str, Any] = json.loads(output)
        return said


@pytest.fixture
def folder(tmp_path: Path, kafka: Broker) -> Folder:
    return Folder(tmp_path, kafka.bootstrap)


def read(bootstrap: str, topic: str) -> list[Message]:
    """Read a whole topic."""
    bounds = Topics(bootstrap).bounds(topic)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "log_level": 2})
    consumer.assign([TopicPartition(topic, partition, each.low) for partition, each in bounds.items()])
    messages: list[Message] = []
    while left := sum(each.high - each.low for each in bounds.values()) - len(messages):
        messages += consumer.consume(left, timeout=10)
    consumer.close()
    return messages


def identities(messages: Iterable[Message]) -> Counter[tuple[Any, ...]]:
    """Count the records that are the same in key, value and headers."""
    return Counter((each.key(), each.value(), tuple(each.headers() or ())) for each in messages)


def test_what_it_says_is_what_kafka_has(folder: Folder) -> None:
    said = folder.produce("ride_events", "--count", "3000", *MESSY)
    messages = read(folder.bootstrap, folder.topic("ride_events"))
    values = [message.value() for message in messages]
    assert len(messages) == said["produced"] == said["good"] + said["bad"] == 3000
    assert values.count(None) == said["bad_by_kind"]["tombstone"] > 0
    assert values.count(b"") == said["bad_by_kind"]["empty"] > 0
    assert sum(said["bad_by_kind"].values()) == said["bad"] == pytest.approx(660, rel=0.2)
    assert said["duplicates"] > 200
    assert said["late"] > 80
    assert (said["contract"], said["topic"]) == ("ride_events", folder.topic("ride_events"))


def test_duplicates_are_the_same_bytes_and_in_the_same_partition(folder: Folder) -> None:
    said = folder.produce("sales_events", "--count", "3000", "--duplicate-rate", "0.1")
    messages = read(folder.bootstrap, folder.topic("sales_events"))
    assert len(identities(messages)) == said["distinct_good"] == 3000 - said["duplicates"]
    assert len({(each.key(), each.partition()) for each in messages}) == said["distinct_good"]
    assert dict(messages[0].headers() or ()).keys() == {"source", "version"}


def test_the_topic_is_made_with_the_partitions_of_the_settings(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_TOPIC_PARTITIONS", "3")
    folder.produce("ride_events", "--count", "500")
    messages = read(folder.bootstrap, folder.topic("ride_events"))
    assert {message.partition() for message in messages} == {0, 1, 2}


def test_batches_are_compressed_and_have_the_mark_of_an_idempotent_producer(kafka: Broker, folder: Folder) -> None:
    Topics(folder.bootstrap).ensure(folder.topic("ride_events"), 1)
    folder.produce("ride_events", "--count", "1000")
    log = kafka.data / f"{folder.topic('ride_events')}-0" / f"{0:020d}.log"
    # The head of a record batch, as Kafka's protocol guide has it: attributes at 21, producer id at 43
    attributes, producer_id = struct.unpack_from(">h20xq", log.read_bytes(), 21)
    assert attributes & 7 == LZ4
    assert producer_id >= 0


def test_the_same_seed_sends_the_same_records_and_another_does_not(folder: Folder) -> None:
    for _ in range(2):
        folder.produce("sales_events", "--count", "500", "--seed", "5", *MESSY)
    folder.produce("sales_events", "--count", "500", *MESSY)
    messages = read(folder.bootstrap, folder.topic("sales_events"))
    keys = Counter(message.key() for message in messages if message.key() is not None)
    timeless = Counter(re.sub(rb"\d{10,}", b"", each.value() or b"") for each in messages)
    assert len(keys) == pytest.approx(2 * 500 * 0.9, rel=0.1)
    assert sum(number >= 2 for number in timeless.values()) > 400


def test_a_rate_is_kept_evenly(folder: Folder) -> None:
    said = folder.produce("ride_events", "--rate", "400", "--for", "2.5s")
    times = sorted(message.timestamp()[1] for message in read(folder.bootstrap, folder.topic("ride_events")))
    assert said["produced"] == 1000
    # A slow machine may be behind; ahead of its rate, by more than a quarter of a second, it never is
    ahead = [number for number, sent in enumerate(times) if number > (sent - times[0]) / 1000 * 400 + 100]
    assert ahead == []


def test_a_new_contract_file_needs_no_code(folder: Folder) -> None:
    text = """
id: refunds
owner: sales
description: Money back.
topic: refunds
format: json
key: [refund_id]
eventTime: refunded_at
schema:
  - {name: refund_id, logicalType: string, required: true, pattern: "R-[0-9]{8}"}
  - {name: refunded_at, logicalType: timestamp, required: true}
  - {name: reason, logicalType: string, enum: [broken, late, unwanted]}
"""
    folder.add("refunds", text)
    said = folder.produce("refunds", "--count", "200", "--bad-rate", "0.5")
    assert said["bad_by_kind"].keys() >= {"truncated", "no_match", "not_in_enum", "future"}
    assert len(read(folder.bootstrap, folder.topic("refunds"))) == 200


def refused(process: "subprocess.Popen[str]", within: float = 60) -> str:
    """Give the message of a command that must fail by itself, without a traceback."""
    _, errors = process.communicate(timeout=within)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    return errors


def test_records_that_kafka_refuses_are_counted_and_fail_the_command(folder: Folder) -> None:
    Topics(folder.bootstrap).ensure(folder.topic("ride_events"), 1, {"max.message.bytes": "100"})
    errors = refused(folder.command("ride_events", "--count", "300"))
    assert "300 of 300 records were not acknowledged by Kafka" in errors
    assert "Message size too large" in errors


def test_an_unknown_contract_is_refused_with_those_there_are(folder: Folder) -> None:
    errors = refused(folder.command("rides", "--count", "1"))
    assert "found 'rides'; allowed are " in errors and "ride_events, sales_events" in errors


def test_kafka_away_is_said_without_noise(tmp_path: Path) -> None:
    folder = Folder(tmp_path, f"127.0.0.1:{free_ports(1)[0]}")
    errors = refused(folder.command("ride_events", "--count", "1"))
    assert f"Kafka does not answer at {folder.bootstrap}" in errors
    assert "rdkafka" not in errors


def test_a_table_is_printed_for_people_and_numbers_for_programs(folder: Folder) -> None:
    process = folder.command("ride_events", "--count", "1000", "--seed", "1", "--bad-rate", "1")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert re.search(r"bad +│ +1,000 ", output)
    assert re.search(r"invalid_utf8 +│ +5\d ", output)
    assert errors == ""


def eventually(done: Callable[[], bool], within: float = 20.0) -> bool:
    """Wait until `done`."""
    deadline = time.monotonic() + within
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)
    return done()


def test_a_stop_of_kafka_loses_nothing_and_doubles_nothing(kafka: Broker, folder: Folder) -> None:
    topic = folder.topic("ride_events")
    Topics(kafka.bootstrap).ensure(topic, 2)
    process = folder.command("ride_events", "--rate", "1000", "--for", "7s", "--json")
    assert eventually(lambda: Topics(kafka.bootstrap).bounds(topic)[0].high > 100)
    kafka.stop()
    time.sleep(2)
    kafka.start()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    messages = read(kafka.bootstrap, topic)
    assert len(messages) == len(identities(messages)) == json.loads(output)["produced"] == 7000
    assert errors.count("\n") < 10
