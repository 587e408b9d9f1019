"""The bronze stream of an Avro topic on a real registry: schemas come, change and are away, and no record is lost."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from deltalake import DeltaTable
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from streaming.health import serve_health
from streaming.host import StreamHost
from streaming.speed import SpeedStream
from streaming.streams.bronze import BronzeStream
from streaming.streams.fraud_alerts import FRAUD_ALERTS
from streaming.streams.mirror import MirrorStream
from tests.kafka import Broker, free_ports
from tests.registry import RegistryServer, running_registry
from tests.streams import Row, land, rows, send, settings_in, wait_until
from tests.warehouse import Warehouse
from tidemark.avro_schemas import avro_schema
from tidemark.contracts import Column, Contract, read_contract
from tidemark.registry import Registry, RegistryAway, SchemaRefused, subject_of
from tidemark.services import settings_environment
from tidemark.settings import ROOT
from tidemark.stream_looks import lags
from tidemark.topics import Topics

pytest_plugins = ("tests.warehouse",)
pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with running_registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


class House:
    """The payments' contract with a topic of its own, and writers of every age."""

    def __init__(
        self, home: Path, broker: Broker, registry: RegistryServer, spark: SparkSession, connect_port: int = 1
    ) -> None:
        self.broker, self.registry, self.spark = broker, registry, spark
        ports = {"TIDEMARK_STREAMS_PORT": free_ports(1)[0], "TIDEMARK_CONNECT_PORT": connect_port}
        self.settings = settings_in(home, broker, registry_url=registry.url, contracts_dir=home / "contracts", **ports)
        text = (ROOT / "contracts" / "card_payments.yaml").read_text()
        self.file = home / "contracts" / "card_payments.yaml"
        self.file.parent.mkdir()
        self.file.write_text(text.replace("topic: card_payments", f"topic: {broker.topic(partitions=2)}"))
        self.contract = read_contract(self.file)
        self.schema = avro_schema(self.contract)
        Registry(self.settings).ensure(self.contract)

    def written(self, schema: dict[str, Any], *payments: Row, refers_to: Sequence[SchemaReference] = ()) -> list[bytes]:
        """Write payments as a real producer does, which registers its schema first."""
        client = SchemaRegistryClient({"url": self.registry.url})
        client.set_compatibility(subject_of(self.contract), "NONE")  # what an unkind producer would have
        serializer = AvroSerializer(client, Schema(json.dumps(schema), "AVRO", list(refers_to)))
        context = SerializationContext(self.contract.topic, MessageField.VALUE)
        values = [serializer(payment, context) for payment in payments]
        client.set_compatibility(subject_of(self.contract), self.contract.compatibility)
        return values

    def send(self, values: list[bytes]) -> None:
        send(self.broker, self.contract.topic, values)

    def stream(self, contract: Contract | None = None) -> BronzeStream:
        return BronzeStream(contract or self.contract, self.settings)

    def land(self, contract: Contract | None = None) -> dict[str, list[str]]:
        """Take everything there is; give the reasons of each row by its payment, or by its position where it is bad."""
        land(self.stream(contract), self.spark)
        return self.reasons()

    def reasons(self) -> dict[str, list[str]]:
        found = rows(self.settings, self.contract)
        return {row["payment_id"] or f"bad {number}": row["_errors"] for number, row in enumerate(found)}

    def refusals(self) -> dict[str, float]:
        """Ask the streams how many schemas they refused so far, by reason."""
        with (
            serve_health(self.settings, []),
            urllib.request.urlopen(f"http://127.0.0.1:{self.settings.streams_port}/metrics", timeout=5) as answer,
        ):
            found = answer.read().decode()
        own = rf'^tidemark_schema_refusals_total{{contract="{self.contract.id}",reason="(\w+)"}} (\S+)$'
        return {reason: float(count) for reason, count in re.findall(own, found, re.MULTILINE)}


def payment(name: str, **changes: Any) -> Row:
    made = {"payment_id": name, "card_id": "c1", "customer_id": "u1", "ride_event_id": None, "amount": 2.5}
    made |= {"currency": "EUR", "country": "DE", "merchant": "m", "ts": time.time_ns() // 10**6}
    return made | changes


def referring(house: House) -> tuple[dict[str, Any], Row]:
    """Give a schema that names a type of another subject, and a payment of it."""
    till = {"type": "record", "name": "Till", "namespace": "shops", "fields": [{"name": "number", "type": "int"}]}
    SchemaRegistryClient({"url": house.registry.url}).register_schema("shops.Till", Schema(json.dumps(till), "AVRO"))
    schema = house.schema | {"fields": [{"name": "till", "type": "shops.Till"}, *house.schema["fields"]]}
    return schema, payment("referring", till={"number": 7})


@pytest.fixture
def house(tmp_path: Path, kafka: Broker, registry: RegistryServer, spark: SparkSession) -> House:
    return House(tmp_path, kafka, registry, spark)


def test_schemas_of_every_age_in_one_batch_are_each_read_by_their_own(house: House) -> None:
    older = house.schema | {"fields": [each for each in house.schema["fields"] if each["name"] != "ride_event_id"]}
    newer = house.schema | {
        "fields": [*house.schema["fields"], {"name": "tip", "type": ["null", "double"], "default": None}]
    }
    other = house.schema | {
        "fields": [*older["fields"][:3], {"name": "amount", "type": "string"}, *older["fields"][4:]]
    }
    bare = payment("old")
    bare.pop("ride_event_id")
    values = house.written(older, bare) + house.written(house.schema, payment("own", ride_event_id="r1"))
    values += house.written(newer, payment("new", tip=1.0)) + house.written(other, bare | {"amount": "2.50"})
    values += house.written(*referring(house), refers_to=[SchemaReference("shops.Till", "shops.Till", 1)])
    before = house.refusals()
    house.send([*values, b"\x00" + (10**6).to_bytes(4, "big") + b"\x02"])
    assert sorted(map(str, house.land().values())) == ["['type:amount']", "['unknown_schema']", *["[]"] * 4]
    grew = {reason: count - before.get(reason, 0) for reason, count in house.refusals().items()}
    assert grew == {"type": 1, "unknown_schema": 1, "missing": 0, "not_object": 0}
    # The contract follows: its column appears, and is null where it was not known
    tip = Column.model_validate({"name": "tip", "logicalType": "number"})
    grown = house.contract.model_copy(update={"version": "1.1.0", "columns": (*house.contract.columns, tip)})
    house.send(house.written(newer, payment("newest", tip=2.0)))
    assert house.land(grown)["newest"] == []
    tips = {row["payment_id"]: row["tip"] for row in rows(house.settings, house.contract) if row["payment_id"]}
    assert tips == {"old": None, "own": None, "new": None, "referring": None, "newest": 2.0}


def test_a_new_schema_is_read_without_a_restart(house: House) -> None:
    query = house.stream().start(house.spark)
    try:
        house.send(house.written(house.schema, payment("first")))
        query.processAllAvailable()
        newer = house.schema | {"fields": [*house.schema["fields"], {"name": "extra", "type": "string", "default": ""}]}
        house.send(house.written(newer, payment("second", extra="x")))
        query.processAllAvailable()
    finally:
        query.stop()
    assert house.reasons() == {"first": [], "second": []}


def test_a_stream_with_state_takes_a_new_schema_for_no_failure(house: House) -> None:
    layer, known = replace(FRAUD_ALERTS, trigger_seconds=0), {"card_payments": house.contract}
    newer = house.schema | {"fields": [*house.schema["fields"], {"name": "extra", "type": "string", "default": ""}]}
    values = [house.written(house.schema, payment(f"p{number}")) for number in range(4)]
    values += [[b"\x00" + (10**6).to_bytes(4, "big") + b"\x02"], house.written(newer, payment("p4", extra="x"))]
    with ExitStack() as held:
        host = StreamHost(SpeedStream(layer, known, house.settings), house.spark, held)
        held.callback(host.stop)
        host.start()
        for several in values:
            house.send(several)
            wait_until(lambda: lags(house.settings, known, [layer.name])[layer.name] == 0, 60, "it has taken them")
        table = house.settings.table("speed", layer.name)
        wait_until(lambda: velocities(table) == {("p4", 5)}, 60, "the fifth payment of a card within five minutes")
    assert (host.state.restarts, host.state.failures, host.state.last_error) == (0, 0, "")


def velocities(table: str) -> set[tuple[str, int]]:
    """Give each payment that came too fast, and as the how manieth of its card."""
    if not DeltaTable.is_deltatable(table):
        return set()
    found = DeltaTable(table).to_pyarrow_table().to_pylist()
    return {(each["payment_id"], each["count_payments"]) for each in found if each["rule"] == "velocity"}


def test_while_the_registry_is_away_known_schemas_go_on_and_no_good_record_is_quarantined(house: House) -> None:
    known = house.written(house.schema, payment("first"), payment("second"))
    newer = house.schema | {"fields": [*house.schema["fields"], {"name": "note", "type": "string", "default": ""}]}
    unknown = house.written(newer, payment("third", note="n"))
    house.send(known[:1])
    house.land()
    house.registry.stop()
    try:
        house.send(known[1:])
        assert house.land() == {"first": [], "second": []}
        house.send(unknown)
        with pytest.raises(StreamingQueryException, match="registry does not answer"):
            house.land()
        assert house.reasons() == {"first": [], "second": []}
    finally:
        house.registry.start()
    assert house.land() == {"first": [], "second": [], "third": []}


def test_a_contract_that_breaks_its_compatibility_is_refused(house: House) -> None:
    registry = Registry(house.settings)
    schema_id = registry.ensure(house.contract)
    assert registry.ensure(house.contract) == schema_id
    columns = tuple(
        column.model_copy(update={"logical_type": "integer"}) if column.name == "merchant" else column
        for column in house.contract.columns
    )
    changed = house.contract.model_copy(update={"columns": columns})
    assert registry.is_compatible(house.contract) and not registry.is_compatible(changed)
    with pytest.raises(SchemaRefused, match="refuses its schema"):
        registry.ensure(changed)
    writer = registry.writer(house.contract, schema_id)
    assert writer is not None and writer.misfits == frozenset()
    away = Registry(settings_in(house.settings.home, house.broker, registry_url="http://127.0.0.1:9/apis"))
    with pytest.raises(RegistryAway, match=r"127\.0\.0\.1:9"):
        away.writer(house.contract, schema_id)


def test_what_is_mirrored_and_what_is_replayed_are_the_bytes_that_came(
    tmp_path: Path, kafka: Broker, registry: RegistryServer, spark: SparkSession, warehouse: Warehouse
) -> None:
    house = House(tmp_path, kafka, registry, spark, warehouse.settings.connect_port)
    good, refund = house.written(house.schema, payment("good"), payment("refund", amount=-1.0))
    house.send([good, refund, good[:9]])
    land(MirrorStream(house.contract, house.settings, {house.contract.topic}), spark)
    assert values_of(kafka, house.contract.clean_topic) == [good]
    assert values_of(kafka, house.contract.dlq_topic) == sorted([refund, good[:9]])
    assert sorted(map(str, house.land().values())) == ["['malformed']", "['range:amount']", "[]"]
    house.file.write_text(house.file.read_text().replace("minimum: 0,", "minimum: -5,"))
    replay = [sys.executable, "-m", "streaming.batch.replay", house.contract.id, "--json"]
    environment = os.environ | settings_environment(house.settings)
    done = subprocess.run(replay, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    after = {
        row["payment_id"]: (row["_errors"], row["amount"], row["_value"])
        for row in rows(house.settings, house.contract)
    }
    assert after == {"good": ([], 2.5, good), "refund": ([], -1.0, refund), None: (["malformed"], None, good[:9])}


def values_of(broker: Broker, topic: str) -> list[bytes]:
    """Give what is in a topic, sorted."""
    bounds = Topics(broker.bootstrap).bounds(topic)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "test", "log_level": 0})
    consumer.assign([TopicPartition(topic, partition, each.low) for partition, each in bounds.items()])
    found = consumer.consume(sum(each.high - each.low for each in bounds.values()), 30)
    consumer.close()
    return sorted(bytes(each.value() or b"") for each in found)
