"""A real Kafka broker for tests: one KRaft node on loopback, in a folder of its own."""

import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tidemark.port_settings import PortSettings
from tidemark.settings import ROOT, Settings
from tidemark.topics import Topics

_READY_WITHIN = 30.0
_STOPPED_WITHIN = 20.0
_FIRST_PORT, _PORTS_OF_A_WORKER = 12_000, 5_000
_CLUSTER = "dGlkZW1hcmstdGVzdHMtMQ"  # 16 bytes in base64: what Kafka wants of a cluster's id
_JVM = ("-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto")


class Broker:
    """One broker: `stop` and `start` keep its port and its data."""

    def __init__(self, folder: Path, jars: Path) -> None:
        self.data = folder / "data"
        self._folder = folder
        self._jars = jars
        self._log = folder / "kafka.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        port, controller = free_ports(2)
        self.bootstrap = f"127.0.0.1:{port}"
        self._write_properties(port, controller)
        self._run("kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER, "--config", self._properties)

    def start(self) -> None:
        """Start the broker and wait until it answers."""
        if self._process is None:
            with self._log.open("ab") as log:
                command = self._command("kafka.Kafka", str(self._properties))
                self._process = subprocess.Popen([*dies_with_us(), *command], stdout=log, stderr=log)
            self._wait_until_ready(self._process)

    def stop(self) -> None:
        """Stop the broker gracefully; its data stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def topic(self, partitions: int = 1, prefix: str = "events", **config: str) -> str:
        """Make a fresh topic and give its name; underscores of `config`'s names stand for Kafka's dots."""
        name = f"{prefix}_{next(self._names)}_{time.time_ns()}"
        Topics(self.bootstrap).ensure(name, partitions, {key.replace("_", "."): text for key, text in config.items()})
        return name

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    def _write_properties(self, port: int, controller: int) -> None:
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "log.dirs": str(self.data),
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "message.max.bytes": "2000000",
            # Records with times of long ago stay, and where a topic lets them expire it is within a test's patience
            "log.retention.ms": "-1",
            "log.retention.check.interval.ms": "1000",
            "log.segment.delete.delay.ms": "1000",
            "log.cleaner.backoff.ms": "500",
            "log.cleaner.dedupe.buffer.size": "4000000",
        }
        self._properties.write_text("".join(f"{name}={text}\n" for name, text in settings.items()))

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 100})
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if client.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                continue
        raise RuntimeError(f"kafka did not start; its log ends with:\n{self._log.read_text()[-3000:]}")

    def _command(self, main: str, *arguments: str) -> list[str]:
        return ["java", *_JVM, "-cp", f"{self._jars}/*", main, *arguments]

    def _run(self, main: str, *arguments: str | Path) -> None:
        with self._log.open("ab") as log:
            subprocess.run(self._command(main, *map(str, arguments)), stdout=log, stderr=log, check=True)


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """Run a broker with its data in `folder`; stop it at the end and remove the data."""
    broker = Broker(folder, kafka_jars())
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)


def kafka_jars() -> Path:
    """Find the jars that set-up has fetched."""
    folder = Settings.load().jars / "kafka"
    if not any(folder.glob("kafka_2.13-*.jar")):
        raise RuntimeError(f"{folder.relative_to(ROOT)} has no Kafka: run `make setup`")
    return folder


def free_ports(count: int) -> Sequence[int]:
    """Find ports that nobody listens on, below those that the system gives to clients and apart from other workers'."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST_PORT + worker % 4 * _PORTS_OF_A_WORKER
    with ExitStack() as held:  # all are held until the last is found, so none is given twice
        found: list[int] = []
        for port in random.sample(range(first, first + _PORTS_OF_A_WORKER), _PORTS_OF_A_WORKER):
            if len(found) == count:
                break
            with suppress(OSError):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
                found.append(port)
        return found


def own_ports() -> dict[str, int]:
    """Give each setting that is a port one that nobody listens on."""
    names = [str(field.alias) for field in PortSettings.model_fields.values() if field.alias]
    return dict(zip(names, free_ports(len(names)), strict=True))


def dies_with_us() -> list[str]:
    """Give the words before a command that end it with the test run."""
    # A killed test run must leave no broker behind; where there is no setpriv (not Linux), that is lost
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
