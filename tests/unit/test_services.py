"""What each service is started with, and what is said when it can't be: pure functions, files and sockets; no JVM."""

import configparser
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from streaming.warehouse import warehouse_command
from tidemark import doctor
from tidemark.airflow_env import airflow_environment
from tidemark.errors import TidemarkError
from tidemark.kafka_broker import server_properties
from tidemark.ports import Port, require_free
from tidemark.private_files import private_folder, written_once
from tidemark.probes import AirflowProbe, HttpProbe
from tidemark.services import Service, all_services, find_service, selected, settings_environment
from tidemark.settings import Settings
from tidemark.supervisor import configuration, socket_path

pytestmark = pytest.mark.usefixtures("redis_program")
HEALTH = "/api/v2/monitor/health"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", port_offset=1000)


def names(services: tuple[Service, ...]) -> list[str]:
    return [service.name for service in services]


def test_kafka_starts_first_and_what_watches_last(settings: Settings) -> None:
    assert names(all_services(settings)) == [
        *("kafka", "registry", "redis", "streams", "warehouse", "airflow-api"),
        *("airflow-scheduler", "airflow-dag-processor", "airflow-triggerer", "metrics"),
        *("prometheus", "alertmanager"),
    ]


def test_a_word_selects_a_group_or_one_service(settings: Settings) -> None:
    assert names(selected(settings, "streams")) == ["kafka", "registry", "redis", "streams"]
    assert names(selected(settings, "kafka")) == ["kafka"]
    assert len(selected(settings, "airflow")) == 4
    assert names(selected(settings, "monitoring")) == ["metrics", "prometheus", "alertmanager"]
    assert len(selected(settings, "all")) == 12


def test_an_unknown_word_is_refused_with_those_allowed(settings: Settings) -> None:
    with pytest.raises(TidemarkError, match="found 'kafak'; allowed are all, streams, warehouse, airflow, mon"):
        selected(settings, "kafak")


def test_no_broker_of_ours_where_another_is_named(tmp_path: Path) -> None:
    services = all_services(Settings(home=tmp_path, kafka_bootstrap="broker:9092"))
    assert "kafka" not in names(services)
    assert all("kafka" not in service.needs for service in services)


def test_the_broker_is_started_by_this_command_line(settings: Settings) -> None:
    command = find_service(settings, "kafka").command
    assert command[1] == "-Xmx512m"
    assert command[-2:] == ("kafka.Kafka", str(settings.home / "kafka" / "server.properties"))
    assert command[command.index("-cp") + 1].endswith(f"{os.sep}kafka:{settings.jars}/kafka/*")


def test_the_broker_listens_on_loopback_and_makes_no_topic_by_itself(settings: Settings) -> None:
    lines = server_properties(settings).splitlines()
    assert "listeners=PLAINTEXT://127.0.0.1:10092,CONTROLLER://127.0.0.1:10093" in lines
    assert "advertised.listeners=PLAINTEXT://127.0.0.1:10092" in lines
    assert "auto.create.topics.enable=false" in lines
    assert "transaction.state.log.min.isr=1" in lines
    assert "message.max.bytes=2097152" in lines


def test_the_warehouse_is_one_jvm_on_loopback(settings: Settings) -> None:
    command = warehouse_command(settings)
    assert command[0].endswith("pyspark/bin/spark-submit")
    assert "spark.plugins=org.apache.spark.sql.connect.SparkConnectPlugin" in command
    assert "spark.connect.grpc.binding.address=127.0.0.1" in command
    assert "spark.connect.grpc.binding.port=16002" in command
    assert f"spark.sql.warehouse.dir={settings.home}/lake" in command
    after = command[command.index("spark-internal") + 1 :]
    assert "hive.server2.thrift.bind.host=127.0.0.1" in after
    assert "hive.server2.thrift.port=11000" in after


def test_only_the_streams_stop_without_a_signal_to_their_jvm(settings: Settings) -> None:
    alone = [service for service in all_services(settings) if not service.stop_as_group]
    assert [(service.name, service.stop_wait) for service in alone] == [("streams", 60)]


def test_the_offset_moves_every_port_and_each_is_named_by_a_setting(tmp_path: Path) -> None:
    here, there = (
        [port for service in all_services(Settings(home=tmp_path, port_offset=offset)) for port in service.ports]
        for offset in (0, 1000)
    )
    assert [port.number + 1000 for port in here] == [port.number for port in there]
    assert len({port.number for port in here}) == len(here) == 11
    assert {port.setting for port in here} <= set(settings_environment(Settings(home=tmp_path)))


def test_a_service_sees_the_settings_of_the_command_that_started_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in settings_environment(settings).items():
        monkeypatch.setenv(variable, value)
    assert Settings.load() == settings


def test_no_secret_stands_in_airflows_environment(settings: Settings) -> None:
    environment = airflow_environment(settings)
    secret = {name: value for name, value in environment.items() if "SECRET" in name or "FERNET" in name}
    assert len(secret) == 3
    assert all(name.endswith("_CMD") and value.startswith("cat ") for name, value in secret.items())


def test_airflow_is_on_loopback_and_its_tasks_report_to_the_moved_port(settings: Settings) -> None:
    environment = airflow_environment(settings)
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__API__PORT"] == "9080"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:9080/execution/"
    assert environment["PATH"].startswith(f"{settings.airflow_venv}/bin:")
    # They would listen on every address.
    assert all(
        "--skip-serve-logs" in find_service(settings, f"airflow-{it}").command for it in ("scheduler", "triggerer")
    )


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = private_folder(tmp_path / "secrets") / "key"
    keys = [written_once(file, lambda number=number: str(number)) for number in (1, 2)]  # type: ignore[misc]
    assert keys == ["1", "1"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_supervisord_reads_the_configuration_as_it_was_meant(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "50% full")
    parsed = configparser.ConfigParser(inline_comment_prefixes=(";", "#"))
    parsed.read_string(configuration(settings, all_services(settings)))
    assert parsed["program:streams"]["stopasgroup"] == "false"
    assert parsed["program:streams"]["stopwaitsecs"] == "60"
    assert parsed["program:kafka"]["stopasgroup"] == "true"
    assert parsed["program:kafka"]["stdout_logfile"] == str(settings.logs / "kafka.log")
    assert sum(section.startswith("program:") for section in parsed.sections()) == 12


def test_a_path_that_the_configuration_cannot_hold_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "a #b")
    with pytest.raises(TidemarkError, match="not possible in this path"):
        configuration(settings, all_services(settings))


def test_a_deep_home_gets_a_socket_that_the_kernel_takes(tmp_path: Path) -> None:
    shallow, deep = Settings(home=Path("/home/me/var")), Settings(home=tmp_path / ("deep" * 30))
    assert socket_path(shallow) == Path("/home/me/var/run/supervisor.sock")
    assert len(str(socket_path(deep))) <= 98
    assert socket_path(deep) != socket_path(Settings(home=tmp_path / ("down" * 30)))


def test_a_service_is_launched_with_any_value_in_its_environment(tmp_path: Path) -> None:
    awkward = "a 'b' \"c\" %d ; e # f\nü"
    command = [sys.executable, "-c", "import os; print(os.environ['AWKWARD'], os.getcwd())"]
    order = {"command": command, "environment": {"AWKWARD": awkward}, "folder": str(tmp_path)}
    (tmp_path / "service.json").write_text(json.dumps(order), encoding="utf-8")
    launch = [sys.executable, "-m", "tidemark.launch", str(tmp_path / "service.json")]
    assert subprocess.run(launch, capture_output=True, text=True, check=True).stdout == f"{awkward} {tmp_path}\n"


def test_a_busy_port_is_named_with_its_setting_its_holder_and_a_free_offset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        number = busy.getsockname()[1]
        with pytest.raises(TidemarkError) as caught:
            require_free("127.0.0.1", [Port("TIDEMARK_KAFKA_PORT", number)], offset=7)
        offset = int(caught.value.fix.rpartition("TIDEMARK_PORT_OFFSET=")[2])
        require_free("127.0.0.1", [Port("TIDEMARK_KAFKA_PORT", number - 7 + offset)], offset)
    assert f"port {number} (TIDEMARK_KAFKA_PORT) is held by process {os.getpid()}" in caught.value.what


class _Answers(BaseHTTPRequestHandler):
    """Answers each path with what `answers` has for it."""

    answers: ClassVar[dict[str, tuple[int, object]]] = {}

    def do_GET(self) -> None:
        status, body = self.answers[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Answers) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def test_only_an_answer_of_200_is_ready(server: str) -> None:
    _Answers.answers = {"/good": (200, "ok"), "/starting": (503, "no")}
    assert HttpProbe(f"{server}/good").ready(0)
    assert not HttpProbe(f"{server}/starting").ready(0)
    assert not HttpProbe("http://127.0.0.1:1/nobody").ready(0)


def test_a_heartbeat_of_the_predecessor_does_not_make_a_scheduler_ready(server: str) -> None:
    heartbeat = datetime.now(UTC)
    health = {"scheduler": {"status": "healthy", "latest_scheduler_heartbeat": heartbeat.isoformat()}}
    _Answers.answers = {HEALTH: (200, health | {"metadatabase": {"status": "healthy"}, "triggerer": {"status": None}})}
    probe = AirflowProbe(server + HEALTH, "scheduler")
    assert probe.ready((heartbeat - timedelta(seconds=1)).timestamp())
    assert not probe.ready((heartbeat + timedelta(seconds=1)).timestamp())
    assert AirflowProbe(server + HEALTH, "metadatabase").ready(heartbeat.timestamp())
    assert not AirflowProbe(server + HEALTH, "triggerer").ready(0)


def test_the_doctor_names_what_is_missing_with_the_line_that_fixes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.yaml").write_text("id: [", encoding="utf-8")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    settings = Settings(home=tmp_path, jars=tmp_path, airflow_venv=tmp_path, contracts_dir=tmp_path)
    bad = {finding.name: finding.fix for finding in doctor.examine(settings) if not finding.is_ok}
    assert {"Java 17", "Environment of Airflow", "Jars", "Contracts"} <= set(bad)
    assert "openjdk-17" in bad["Java 17"]
    assert bad["Jars"] == "make setup-streams"
    assert all(bad.values())


def test_the_doctor_counts_a_port_that_somebody_else_holds_as_bad(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        settings = Settings.model_validate({"home": tmp_path, "TIDEMARK_AIRFLOW_PORT": busy.getsockname()[1]})
        finding = doctor.free_ports(settings)
    assert not finding.is_ok
    assert "TIDEMARK_AIRFLOW_PORT" in finding.found
    assert "TIDEMARK_PORT_OFFSET=" in finding.fix
