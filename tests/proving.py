"""What tests of the proof share: a topic, and a bronze table made of its records, right or wrong, without Spark."""

import ctypes
import json
import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import confluent_kafka
import pyarrow as pa
import typer
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from deltalake import CommitProperties, DeltaTable, write_deltalake
from typer.testing import CliRunner

from tests.kafka import Broker
from tidemark import bronze
from tidemark.cli import prove
from tidemark.contracts import Contract, read_contract
from tidemark.kafka_records import UNREADABLE, headers_of
from tidemark.ledger import Label, Ranges
from tidemark.record_hash import HEADERS
from tidemark.settings import ROOT, Settings
from tidemark.topics import Bounds, Topics

Row = dict[str, Any]
Change = Callable[[list[Row]], list[Row]]

SCHEMA = pa.schema(
    [
        (bronze.TOPIC, pa.string()),
        (bronze.PARTITION, pa.int32()),
        (bronze.OFFSET, pa.int64()),
        (bronze.KAFKA_TIME, pa.timestamp("us", "UTC")),
        (bronze.KEY, pa.binary()),
        (bronze.VALUE, pa.binary()),
        (bronze.HEADERS, HEADERS),
        (bronze.ERRORS, pa.list_(pa.string())),
        (bronze.INGEST_DATE, pa.date32()),
    ]
)
_DAY = datetime(2024, 5, 1, tzinfo=UTC)


class House:
    """One topic, and a lake of its own."""

    def __init__(self, home: Path, broker: Broker, topic: str) -> None:
        self.broker = broker
        self.topic = topic
        self.topics = Topics(broker.bootstrap)
        self.settings = Settings(home=home, kafka_bootstrap=broker.bootstrap, contracts_dir=home / "contracts")
        self.contract = _contract(self.settings.contracts_dir, topic)
        self.table = self.settings.table("bronze", self.contract.id)
        self.ends: dict[int, int] = {}

    def records(self) -> list[Row]:
        """Read what Kafka has, record by record: another way than the proof's own."""
        return read_topic(self.broker, self.topic, {part: each.low for part, each in self._bounds().items()})

    def land(self, change: Change = list, ranges: Ranges | None = None) -> None:
        """Ingest what is new, in one commit and with its ledger entry; `change` spoils the rows."""
        taken = {part: (self.ends.get(part, each.low), each.last_stable) for part, each in self._bounds().items()}
        taken = taken if ranges is None else dict(ranges)
        rows = [row for row in self.records() if _inside(row, taken)]
        identity = self.topics.identity(self.topic) or ""
        label = Label("ingest", self.contract.bronze_query, 0, "check", self.topic, identity, taken, "1.0.0")
        self.append(change(rows), label.to_json())
        self.ends |= {part: end for part, (_, end) in taken.items()}

    def append(self, rows: Iterable[Row], label: str = "") -> None:
        """Append rows in one commit."""
        metadata = CommitProperties(custom_metadata={"userMetadata": label}) if label else None
        statistics = {"delta.dataSkippingStatsColumns": f"{bronze.PARTITION},{bronze.OFFSET}"}
        table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
        write_deltalake(
            self.table,
            table,
            mode="append",
            partition_by=[bronze.INGEST_DATE],
            configuration=statistics,
            commit_properties=metadata,
        )

    def prove(self, *options: str) -> dict[str, Any]:
        """Run `tidemark prove --json`; give what it prints, and its exit code as `exit`."""
        answer = run_prove(self.settings, self.contract.id, "--json", "--wait", "0", *options)
        return {**json.loads(answer.stdout), "exit": answer.exit_code}

    def expire(self, below: int, partition: int = 0) -> None:
        """Let Kafka forget the records before an offset."""
        where = TopicPartition(self.topic, partition, below)
        client = AdminClient({"bootstrap.servers": self.broker.bootstrap})  # its answers die with it
        client.delete_records([where])[where].result(10)

    def version(self) -> int:
        return DeltaTable(self.table).version()

    def _bounds(self) -> dict[int, Any]:
        return self.topics.bounds(self.topic)


def environment(settings: Settings) -> dict[str, str]:
    """Give the environment that the command reads."""
    own = {"HOME": settings.home, "CONTRACTS_DIR": settings.contracts_dir, "KAFKA_BOOTSTRAP": settings.bootstrap}
    return {**os.environ, **{f"TIDEMARK_{name}": str(value) for name, value in own.items()}}


def run_prove(settings: Settings, *arguments: str) -> Any:
    """Run the command in this process."""
    app = typer.Typer()
    prove.register(app)
    return CliRunner().invoke(app, list(arguments), env=environment(settings))


def eventually(done: Callable[[], bool], within: float = 20.0) -> None:
    """Wait until `done`."""
    deadline = time.monotonic() + within
    while not done():
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.05)


def bad(proof: dict[str, Any]) -> set[tuple[str, int, int, int]]:
    """Give the findings of a proof."""
    return {(each["kind"], each["partition"], each["start"], each["end"]) for each in proof["findings"]}


def producer(broker: Broker, **settings: Any) -> Producer:
    """Make a producer; underscores of the settings' names stand for Kafka's dots."""
    own = {key.replace("_", "."): value for key, value in settings.items()}
    return Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0, "message.max.bytes": 2_000_000, **own})


def send(broker: Broker, topic: str, count: int, partition: int = 0, **record: Any) -> None:
    """Send records that differ in their values."""
    sender = producer(broker)
    for number in range(count):
        sender.produce(topic, **{"value": f"value {number}".encode(), "partition": partition, **record})
    assert sender.flush(20) == 0


def send_with_header(broker: Broker, topic: str, name: bytes) -> None:
    """Send a record with a header of any name, as clients in other languages can."""
    (library,) = (Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs").glob("librdkafka*")
    c = ctypes.CDLL(str(library))
    for function in (c.rd_kafka_conf_new, c.rd_kafka_new, c.rd_kafka_headers_new):
        function.restype = ctypes.c_void_p
    conf, why = ctypes.c_void_p(c.rd_kafka_conf_new()), ctypes.create_string_buffer(512)
    for setting in ((b"bootstrap.servers", broker.bootstrap.encode()), (b"log_level", b"0")):
        assert c.rd_kafka_conf_set(conf, *setting, why, 512) == 0
    sender, headers = ctypes.c_void_p(c.rd_kafka_new(0, conf, why, 512)), ctypes.c_void_p(c.rd_kafka_headers_new(1))
    assert c.rd_kafka_header_add(headers, name, ctypes.c_ssize_t(len(name)), b"value", ctypes.c_ssize_t(5)) == 0
    # Pairs of a tag and what it stands for, up to 0: topic, flags (2: copy the value), value with its size, headers
    record = (1, topic.encode(), 7, 2, 4, b"v", ctypes.c_size_t(1), 10, headers, 0)
    assert c.rd_kafka_producev(sender, *record) == 0
    assert c.rd_kafka_flush(sender, 20_000) == 0
    c.rd_kafka_destroy(sender)


def transaction(broker: Broker, topic: str, count: int, commit: bool | None) -> Producer:
    """Send records in one transaction and wait until its marker is in the topic; None leaves it open."""
    sender = producer(broker, transactional_id=f"{topic}-{commit}")
    sender.init_transactions(20)
    sender.begin_transaction()
    for number in range(count):
        sender.produce(topic, f"in a transaction {number}".encode(), b"key", partition=0)
    assert sender.flush(20) == 0
    if commit is not None:
        end = sender.commit_transaction if commit else sender.abort_transaction
        end(20)
        topics = Topics(broker.bootstrap)
        eventually(lambda: _is_decided(topics.bounds(topic)[0]))  # Kafka answers before it writes the marker
    return sender


def _is_decided(bounds: Bounds) -> bool:
    return bounds.last_stable == bounds.high


def read_topic(broker: Broker, topic: str, starts: dict[int, int], isolation: str = "read_committed") -> list[Row]:
    """Read a topic to its end, as rows of bronze."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "tests",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(topic, part, start) for part, start in starts.items()])
    rows, open_partitions = [], set(starts)
    while open_partitions:
        message = consumer.poll(10)
        assert message is not None, "Kafka went silent"
        error = message.error()
        if error is None:
            rows.append(_row(message))
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error
            open_partitions.discard(message.partition() or 0)
    consumer.close()
    return sorted(rows, key=lambda row: (row[bronze.PARTITION], row[bronze.OFFSET]))


def _row(message: Any) -> Row:
    kafka_time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=message.timestamp()[1])
    return {
        bronze.TOPIC: message.topic(),
        bronze.PARTITION: message.partition(),
        bronze.OFFSET: message.offset(),
        bronze.KAFKA_TIME: kafka_time,
        bronze.KEY: message.key(),
        bronze.VALUE: message.value(),
        bronze.HEADERS: _headers(message),
        bronze.ERRORS: ["malformed"] if message.offset() % 2 else [],
        bronze.INGEST_DATE: (_DAY + timedelta(days=message.offset() % 2)).date(),
    }


def _headers(message: Any) -> list[tuple[str, bytes | None]] | None:
    (headers,) = headers_of([message])
    # The stream's client puts replacement characters
    return [("\ufffd\ufffd", b"value")] if headers is UNREADABLE else headers


def _inside(row: Row, ranges: Ranges) -> bool:
    start, end = ranges.get(row[bronze.PARTITION], (0, 0))
    return bool(start <= row[bronze.OFFSET] < end)


def _contract(folder: Path, topic: str) -> Contract:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ride_events.yaml"
    text = (ROOT / "contracts" / "ride_events.yaml").read_text()
    path.write_text(text.replace("topic: ride_events", f"topic: {topic}"))
    return read_contract(path)
