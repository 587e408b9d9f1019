"""The embedded Kafka: one KRaft broker on loopback, its properties and its storage."""

import base64
import subprocess
import uuid
from pathlib import Path

from tidemark.errors import TidemarkError
from tidemark.private_files import written_once
from tidemark.programs import java
from tidemark.settings import ROOT, Settings

# The folder of the log configuration stands first, so that log4j finds ours.
_LOG_CONFIG = ROOT / "streaming" / "jvm" / "kafka"


def folder(settings: Settings) -> Path:
    """Say where the broker keeps its properties and data."""
    return settings.home.absolute() / "kafka"


def broker_command(settings: Settings) -> tuple[str, ...]:
    """Give the command line of the broker."""
    # Kafka's own garbage collector settings (bin/kafka-run-class.sh).
    tuning = ("-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError")
    return (*_java(settings, *tuning), "kafka.Kafka", str(folder(settings) / "server.properties"))


def server_properties(settings: Settings) -> str:
    """Give the broker's properties."""
    client, controller = (f"{settings.host}:{port}" for port in (settings.kafka_port, settings.controller_port))
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{client}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@{controller}",
        "log.dirs": folder(settings) / "data",
        # A typing error must not make a topic: `tidemark` creates what the contracts name.
        "auto.create.topics.enable": "false",
        # Fields of 900 KB must fit with room to spare.
        "message.max.bytes": 2 * 1024 * 1024,
        "replica.fetch.max.bytes": 2 * 1024 * 1024,
        "log.retention.hours": 7 * 24,
        # One broker: nothing can be replicated, and 50 partitions of each internal topic only cost time and files.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        # By default the cleaner takes a quarter of our heap at start.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def prepare(settings: Settings) -> None:
    """Write the properties, and format the storage unless it is formatted.

    Raises:
        TidemarkError: the jars are missing, or Kafka's storage tool failed.
    """
    if not any((settings.jars / "kafka").glob("kafka_*.jar")):
        raise TidemarkError(f"{settings.jars / 'kafka'}: Kafka's jars are not there", "make setup-streams")
    folder(settings).mkdir(parents=True, exist_ok=True)
    properties = folder(settings) / "server.properties"
    properties.write_text(server_properties(settings), encoding="utf-8")
    if not (folder(settings) / "data" / "meta.properties").exists():
        _format(settings, written_once(folder(settings) / "cluster.id", _new_cluster_id), properties)


def _format(settings: Settings, cluster: str, properties: Path) -> None:
    tool = (*_java(settings, "-Xmx128m"), "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties))
    done = subprocess.run(tool, capture_output=True, text=True, check=False, cwd=folder(settings))
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise TidemarkError(f"Kafka's storage could not be formatted:\n{last}", "mend what the lines above say")


def _java(settings: Settings, *options: str) -> tuple[str, ...]:
    classpath = f"{_LOG_CONFIG}:{settings.jars.absolute() / 'kafka'}/*"
    return (java(), *options, "-Djava.net.preferIPv4Stack=true", "-Djava.awt.headless=true", "-cp", classpath)


def _new_cluster_id() -> str:
    """Make an id as Kafka's own tool does: 16 random bytes in URL-safe base 64, never with a leading dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text
