"""Readiness: a service is ready when it answers what it is there for, not when its process exists.

A probe is a frozen value. `ready(since)` takes the time at which the process started (seconds since the epoch) and
answers within a few seconds; whatever goes wrong on the way means "not ready". Clients are imported where they are
used: a command that asks for one service must not pay for the clients of all.
"""

import json
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from tidemark.ports import is_open

_PATIENCE = 5.0  # seconds
_DIRECT = build_opener(ProxyHandler({}))  # a proxy is never on the way to this machine itself


class Probe(Protocol):
    """How to find out whether a service is ready."""

    def ready(self, since: float) -> bool:
        """Tell whether the process that started at `since` is ready."""
        ...


@dataclass(frozen=True)
class KafkaProbe:
    """The broker answers a metadata request."""

    host: str
    port: int

    def ready(self, since: float) -> bool:
        """Ask for the topics; a closed port is not worth a client."""
        if not is_open(self.host, self.port):
            return False
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        # log_level 0: while the broker starts, the client would write each refusal to our standard error.
        client = AdminClient({"bootstrap.servers": f"{self.host}:{self.port}", "log_level": 0})
        try:
            return bool(client.list_topics(timeout=_PATIENCE).brokers)
        except KafkaException:
            return False


@dataclass(frozen=True)
class HttpProbe:
    """The address answers 200."""

    url: str

    def ready(self, since: float) -> bool:
        """Fetch the address."""
        return fetched(self.url) is not None


@dataclass(frozen=True)
class RedisProbe:
    """Redis answers PING."""

    host: str
    port: int

    def ready(self, since: float) -> bool:
        """Send the one word: it needs no client."""
        try:
            with socket.create_connection((self.host, self.port), _PATIENCE) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


@dataclass(frozen=True)
class WarehouseProbe:
    """Spark Connect accepts connections, and SQL over Thrift answers."""

    host: str
    thrift_port: int
    connect_port: int

    def ready(self, since: float) -> bool:
        """Run `SELECT 1`."""
        if not (is_open(self.host, self.connect_port) and is_open(self.host, self.thrift_port)):
            return False
        from pyhive import hive  # type: ignore[import-untyped]
        from thrift.Thrift import TException  # type: ignore[import-untyped]

        at = (self.host, self.thrift_port)
        try:
            with hive.connect(thrift_transport=thrift_transport(*at, _PATIENCE), username="tidemark") as connection:
                cursor = connection.cursor()
                cursor.execute("SELECT 1")
                return bool(cursor.fetchone() == (1,))
        except (OSError, TException, hive.Error, ValueError):
            # ValueError: after a time-out the rest of the late answer is read as something else.
            return False


@dataclass(frozen=True)
class AirflowProbe:
    """Airflow's health answer says that the component is healthy."""

    url: str
    component: str

    def ready(self, since: float) -> bool:
        """Read the health answer; a heartbeat from before our process started is its predecessor's."""
        answer = fetched(self.url)
        state = answer.get(self.component) if isinstance(answer, dict) else None
        if not state or state.get("status") != "healthy":
            return False
        heartbeat = state.get(f"latest_{self.component}_heartbeat")
        return heartbeat is None or datetime.fromisoformat(heartbeat).timestamp() >= since


def fetched(url: str) -> Any:
    """Fetch an address of this machine: its JSON, or its text where it isn't any; None unless it answers 200."""
    try:
        with _DIRECT.open(url, timeout=_PATIENCE) as response:
            text = response.read().decode("utf-8", "replace")
    except (URLError, OSError):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def thrift_transport(host: str, port: int, seconds: float | None) -> Any:
    """Give a transport with a time limit: PyHive's own waits for ever on a server that hangs. None: it may."""
    from pyhive.hive import get_installed_sasl  # type: ignore[import-untyped]
    from thrift.transport.TSocket import TSocket  # type: ignore[import-untyped]
    from thrift_sasl import TSaslClientTransport  # type: ignore[import-untyped]

    socket = TSocket(host, port)
    socket.setTimeout(seconds and seconds * 1000)
    login = {"host": host, "sasl_auth": "PLAIN", "service": None, "username": "tidemark", "password": "x"}
    return TSaslClientTransport(lambda: get_installed_sasl(**login), "PLAIN", socket)
