"""The services of one machine: what each is started with, when it is ready and how it is stopped.

A service is a frozen value made from the settings. Nothing here starts anything: `lifecycle` does.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tidemark import (
    airflow_env,
    alertmanager_server,
    kafka_broker,
    optional_services,
    prometheus_server,
    redis_server,
    registry_server,
)
from tidemark.errors import TidemarkError
from tidemark.ports import Port
from tidemark.probes import AirflowProbe, HttpProbe, KafkaProbe, Probe, RedisProbe, WarehouseProbe
from tidemark.programs import spark_environment
from tidemark.settings import Settings, variable

ALL = "all"

# Airflow's own log servers would listen on every address. On one machine the API server reads the log files themselves.
_AIRFLOW_ARGUMENTS = {"scheduler": ("--skip-serve-logs",), "triggerer": ("--skip-serve-logs",)}


@dataclass(frozen=True)
class Service:
    """One supervised program."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    folder: Path  # its working directory
    probe: Probe
    group: str  # a word for services that go together
    order: int  # started from low to high, stopped from high to low, those of equal order together
    ports: tuple[Port, ...] = ()
    needs: tuple[str, ...] = ()  # what must be ready before it starts
    prepare: Callable[[Settings], None] | None = None
    ready_within: int = 120  # seconds
    stop_signal: str = "TERM"
    stop_wait: int = 30  # seconds until it is killed
    stop_as_group: bool = True


def all_services(settings: Settings) -> tuple[Service, ...]:
    """Give the services in the order of their start; none of ours where a setting names another in its place."""
    broker = () if settings.kafka_bootstrap else (kafka(settings),)
    schemas = () if settings.registry_url else (registry(settings),)
    there = optional_services.ours(settings)
    optional = (each for each in (redis(settings), *monitoring(settings)) if each.name in there)
    always = (streams(settings), warehouse(settings), *airflow(settings), metrics(settings))
    ours = (*broker, *schemas, *always, *optional)
    return tuple(sorted(ours, key=lambda service: service.order))


def selected(settings: Settings, word: str) -> tuple[Service, ...]:
    """Give the services of a group (`all`, `streams`, `airflow`), or the one service of that name.

    Raises:
        TidemarkError: there is no such group or service; it lists those there are.
    """
    services = all_services(settings)
    of_group = tuple(service for service in services if word in (ALL, service.group))
    of_name = tuple(service for service in services if word == service.name)
    if not (of_group or of_name):
        words = dict.fromkeys([ALL, *(service.group for service in services), *(service.name for service in services)])
        raise TidemarkError(f"found {word!r}; allowed are {', '.join(words)}", "name one of them")
    return of_group or of_name


def find_service(settings: Settings, name: str) -> Service:
    """Give one service by name.

    Raises:
        TidemarkError: there is none; it lists those there are.
    """
    by_name = {service.name: service for service in all_services(settings)}
    if name not in by_name:
        raise TidemarkError(f"service: found {name!r}; allowed are {', '.join(by_name)}", "name one of them")
    return by_name[name]


def log_file(settings: Settings, name: str) -> Path:
    """Say where a service's log is."""
    return settings.logs / f"{name}.log"


def kafka(settings: Settings) -> Service:
    """Give the embedded broker."""
    return Service(
        name="kafka",
        command=kafka_broker.broker_command(settings),
        environment={},
        folder=kafka_broker.folder(settings),
        probe=KafkaProbe(settings.host, settings.kafka_port),
        group="streams",
        order=10,
        ports=(
            Port("TIDEMARK_KAFKA_PORT", settings.kafka_port),
            Port("TIDEMARK_CONTROLLER_PORT", settings.controller_port),
        ),
        prepare=kafka_broker.prepare,
    )


def registry(settings: Settings) -> Service:
    """Give the embedded schema registry. Streams do not wait for it: known schemas are kept on disk."""
    return Service(
        name="registry",
        command=registry_server.registry_command(settings),
        environment=registry_server.registry_environment(settings),
        folder=registry_server.folder(settings),
        probe=HttpProbe(f"{settings.registry_address}/subjects"),
        group="streams",
        order=10,
        ports=(Port("TIDEMARK_REGISTRY_PORT", settings.registry_port),),
        prepare=registry_server.prepare,
    )


def redis(settings: Settings) -> Service:
    """Give the embedded Redis."""
    return Service(
        name="redis",
        command=redis_server.server_command(settings),
        environment={},
        folder=redis_server.folder(settings),
        probe=RedisProbe(settings.host, settings.redis_port),
        group="streams",
        order=10,
        ports=(Port("TIDEMARK_REDIS_PORT", settings.redis_port),),
        prepare=redis_server.prepare,
    )


def monitoring(settings: Settings) -> tuple[Service, ...]:
    """Give the embedded Prometheus and Alertmanager."""
    both = (
        ("prometheus", prometheus_server, settings.prometheus_port),
        ("alertmanager", alertmanager_server, settings.alertmanager_port),
    )
    return tuple(
        Service(
            name=name,
            command=server.server_command(settings),
            environment={},
            folder=server.folder(settings),
            probe=HttpProbe(f"http://{settings.host}:{port}/-/ready"),
            group="monitoring",
            order=50,
            ports=(Port(f"TIDEMARK_{name.upper()}_PORT", port),),
            prepare=server.prepare,
        )
        for name, server, port in both
    )


def streams(settings: Settings) -> Service:
    """Give the process of the always-on streams."""
    return Service(
        name="streams",
        command=(sys.executable, "-m", "streaming.run"),
        environment=settings_environment(settings) | spark_environment(settings.host),
        folder=settings.home.absolute() / "streams",
        probe=HttpProbe(f"http://{settings.host}:{settings.streams_port}/healthz"),
        group="streams",
        order=20,
        ports=(Port("TIDEMARK_STREAMS_PORT", settings.streams_port),),
        needs=() if settings.kafka_bootstrap else ("kafka",),
        ready_within=180,
        stop_wait=60,
        # Only Python gets the signal and lets the micro-batch finish; the JVM, its child, would stop in the midst.
        stop_as_group=False,
    )


def warehouse(settings: Settings) -> Service:
    """Give the JVM that serves SQL over Thrift and Spark Connect."""
    return Service(
        name="warehouse",
        command=(sys.executable, "-m", "streaming.warehouse"),
        environment=settings_environment(settings) | spark_environment(settings.host),
        folder=settings.home.absolute() / "warehouse",
        probe=WarehouseProbe(settings.host, settings.thrift_port, settings.connect_port),
        group="warehouse",
        order=20,
        ports=(
            Port("TIDEMARK_THRIFT_PORT", settings.thrift_port),
            Port("TIDEMARK_CONNECT_PORT", settings.connect_port),
        ),
        ready_within=180,
    )


def metrics(settings: Settings) -> Service:
    """Give the exporter: what the lake, the services and the machine tell from outside."""
    return Service(
        name="metrics",
        command=(sys.executable, "-m", "tidemark", "metrics"),
        environment=settings_environment(settings),
        folder=settings.home.absolute() / "metrics",
        probe=HttpProbe(f"http://{settings.host}:{settings.metrics_port}/metrics"),
        group="monitoring",
        order=50,
        ports=(Port("TIDEMARK_METRICS_PORT", settings.metrics_port),),
    )


def airflow(settings: Settings) -> tuple[Service, ...]:
    """Give Airflow's four programs; the API server starts first and stops last, since tasks report to it."""
    port = Port("TIDEMARK_AIRFLOW_PORT", settings.airflow_port)
    return (
        _airflow(settings, "api-server", "metadatabase", 30, (port,)),
        _airflow(settings, "scheduler", "scheduler", 40),
        _airflow(settings, "dag-processor", "dag_processor", 40),
        _airflow(settings, "triggerer", "triggerer", 40),
    )


def settings_environment(settings: Settings) -> dict[str, str]:
    """Give all settings as variables, so that a service sees what this process sees, wherever it runs."""
    return {variable(name): _absolute(getattr(settings, name)) for name in Settings.model_fields}


def _airflow(settings: Settings, program: str, component: str, order: int, ports: tuple[Port, ...] = ()) -> Service:
    return Service(
        name="airflow-api" if program == "api-server" else f"airflow-{program}",
        command=(airflow_env.airflow_program(settings), program, *_AIRFLOW_ARGUMENTS.get(program, ())),
        environment=settings_environment(settings) | airflow_env.airflow_environment(settings),
        folder=airflow_env.folder(settings),
        probe=AirflowProbe(f"{airflow_env.airflow_url(settings)}/api/v2/monitor/health", component),
        group="airflow",
        order=order,
        ports=ports,
        prepare=airflow_env.prepare,
        ready_within=180,
    )


def _absolute(value: object) -> str:
    return str(value.absolute() if isinstance(value, Path) else value)
