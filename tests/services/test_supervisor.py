"""The supervisor with a real Kafka: it comes up, comes back, and goes without leaving anything behind."""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from tests.kafka import own_ports
from tests.streams import wait_until
from tidemark import lifecycle
from tidemark.cli import command_line
from tidemark.errors import TidemarkError
from tidemark.leftovers import left_behind, stop_left_behind
from tidemark.probes import HttpProbe
from tidemark.services import Service, log_file, settings_environment
from tidemark.settings import Settings
from tidemark.status import ServiceStatus, service_statuses
from tidemark.supervisor import Supervisor, socket_path
from tidemark.waiting import Waiting

HIDDEN = f"{sys.executable} -c 'import os, time; os.setsid(); time.sleep(1000)'"  # leaves its process group


def settings_in(home: Path) -> Settings:
    return Settings.model_validate({"home": home, "port_offset": 0} | own_ports())


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = settings_in(tmp_path_factory.mktemp("home"))
    yield settings
    lifecycle.down(settings, "all", print)


def kafka(settings: Settings) -> ServiceStatus:
    return next(status for status in service_statuses(settings) if status.name == "kafka")


def eventually(holds: Callable[[], bool], seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.2)
    return holds()


def ours(settings: Settings) -> list[psutil.Process]:
    return left_behind(str(socket_path(settings)))


def count_session_leaders(settings: Settings) -> int:
    """Count supervisord, which always is one, and what has left its session."""
    return sum(os.getsid(process.pid) == process.pid for process in ours(settings))


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_status_works_while_nothing_runs(tmp_path: Path) -> None:
    statuses = service_statuses(settings_in(tmp_path))
    assert len(statuses) == 12
    assert {(status.state, status.pid, status.ready) for status in statuses} == {("stopped", None, False)}


def test_up_returns_when_kafka_answers_and_status_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    lifecycle.up(settings, "kafka", print)
    for variable, value in settings_environment(settings).items():
        monkeypatch.setenv(variable, value)
    answer = json.loads(CliRunner().invoke(command_line(), ["status", "--json"]).stdout)
    found = next(service for service in answer["services"] if service["name"] == "kafka")
    assert (found["state"], found["ready"]) == ("running", True)
    assert psutil.Process(found["pid"]).cmdline()[-2] == "kafka.Kafka"
    assert "Kafka Server started" in Path(found["log"]).read_text(encoding="utf-8")
    assert answer["streams"] == []


def test_redis_comes_up_alone_answers_and_goes(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    try:
        lifecycle.up(settings, "redis", print)
        assert {status.name for status in service_statuses(settings) if status.ready} == {"redis"}
    finally:
        lifecycle.down(settings, "redis", print)
    assert ours(settings) == []
    assert "Redis is now ready to exit, bye bye" in log_file(settings, "redis").read_text(encoding="utf-8")


def test_monitoring_comes_up_alone_answers_and_goes(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    try:
        lifecycle.up(settings, "monitoring", print)
        ready = {status.name for status in service_statuses(settings) if status.ready}
        assert ready == {"metrics", "prometheus", "alertmanager"}
    finally:
        lifecycle.down(settings, "monitoring", print)
    assert ours(settings) == []


def test_up_twice_leaves_the_running_broker_alone(settings: Settings) -> None:
    lifecycle.up(settings, "kafka", print)
    before = kafka(settings).pid
    lifecycle.up(settings, "kafka", print)
    assert kafka(settings).pid == before


def test_a_killed_broker_is_started_again(settings: Settings) -> None:
    lifecycle.up(settings, "kafka", print)
    # Until then a failed start is tried again whatever the restart policy says.
    assert eventually(lambda: Supervisor(settings).processes()["kafka"].state == "RUNNING")
    before = kafka(settings).pid
    assert before
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: kafka(settings).pid not in (before, None))


def test_up_works_after_everything_was_killed_and_stale_files_are_left(settings: Settings) -> None:
    if not kafka(settings).pid:  # one that isn't ready yet may as well be killed
        lifecycle.up(settings, "kafka", print)
    supervisord = int((settings.run / "supervisord.pid").read_text(encoding="utf-8"))
    for pid in (supervisord, kafka(settings).pid):
        os.kill(pid or 0, signal.SIGKILL)
    assert eventually(lambda: gone(supervisord))
    assert socket_path(settings).exists()
    (settings.run / "supervisord.pid").write_text(str(os.getpid()), encoding="utf-8")  # a reused process id
    lifecycle.up(settings, "kafka", print)
    assert kafka(settings).ready
    assert psutil.pid_exists(os.getpid())


def test_a_broker_that_outlived_its_supervisor_is_stopped_before_a_new_one_starts(settings: Settings) -> None:
    lifecycle.up(settings, "kafka", print)
    orphan = kafka(settings).pid
    assert orphan
    os.kill(int((settings.run / "supervisord.pid").read_text(encoding="utf-8")), signal.SIGKILL)
    said: list[str] = []
    lifecycle.up(settings, "kafka", said.append)
    assert gone(orphan)
    assert any(line.startswith("kafka") and "was left behind" in line for line in said)
    assert kafka(settings).ready


def test_down_leaves_no_process_and_no_supervisor(settings: Settings) -> None:
    lifecycle.up(settings, "kafka", print)
    assert len(ours(settings)) == 2
    said: list[str] = []
    lifecycle.down(settings, "kafka", said.append)
    assert ours(settings) == []
    assert [line.split()[:2] for line in said] == [["kafka", "stopped"]]
    assert not Supervisor(settings).is_alive()


def test_a_busy_port_is_named_before_anything_is_started(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with (
        socket.create_server(("127.0.0.1", settings.kafka_port)),
        pytest.raises(TidemarkError, match=rf"port {settings.kafka_port} \(TIDEMARK_KAFKA_PORT\) is held by process"),
    ):
        lifecycle.up(settings, "kafka", print)
    assert ours(settings) == []


def shell(settings: Settings, script: str) -> Service:
    """A service of the test's own, which is never ready."""
    return Service(
        name="shell",
        command=("/bin/sh", "-c", script),
        environment={},
        folder=settings.home,
        probe=HttpProbe("http://127.0.0.1:1/"),
        group="shell",
        order=1,
        ready_within=3,
    )


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Settings]:
    settings = settings_in(tmp_path)
    yield settings
    stop_left_behind(str(socket_path(settings)), [])


def begun(settings: Settings, service: Service) -> Supervisor:
    supervisor = Supervisor(settings)
    supervisor.begin([service])
    supervisor.start(service)
    return supervisor


def test_a_service_that_is_not_ready_in_time_is_told_with_the_end_of_its_log(bare: Settings) -> None:
    service = shell(bare, "seq 1 30; echo no disk; exec sleep 1000")
    waiting = Waiting(bare, begun(bare, service), print)
    since = time.monotonic()
    with pytest.raises(TidemarkError, match="not ready within 3 seconds") as caught:
        waiting.until_ready([service])
    assert time.monotonic() - since < 10
    lines = caught.value.what.splitlines()
    assert lines[1:] == [*map(str, range(12, 31)), "no disk"]
    assert "tidemark logs shell" in caught.value.fix


def test_processes_that_a_service_forgets_are_stopped_too(bare: Settings) -> None:
    service = shell(bare, f"{HIDDEN} & exec sleep 1000")
    supervisor = begun(bare, service)
    assert eventually(lambda: count_session_leaders(bare) == 2)
    supervisor.end()
    assert len(ours(bare)) == 1
    assert stop_left_behind(str(socket_path(bare)), [service]) == ["shell"]
    assert ours(bare) == []


def test_processes_that_an_orphaned_service_forgets_are_stopped_too(bare: Settings) -> None:
    service = replace(shell(bare, f"{HIDDEN} & exec sleep 1000"), stop_as_group=False)
    begun(bare, service)
    assert eventually(lambda: count_session_leaders(bare) == 2)
    os.kill(int((bare.run / "supervisord.pid").read_text(encoding="utf-8")), signal.SIGKILL)
    assert stop_left_behind(str(socket_path(bare)), [service]) == ["shell"]
    assert ours(bare) == []


def test_a_supervisor_whose_socket_was_deleted_is_found_and_stopped(bare: Settings) -> None:
    begun(bare, shell(bare, "echo I am; exec sleep 1000"))
    wait_until(lambda: "I am" in log_file(bare, "shell").read_text(), 30, "supervisord's child has become the service")
    assert log_file(bare, "supervisord").exists()
    socket_path(bare).unlink()
    said: list[str] = []
    lifecycle.down(bare, "all", said.append)
    assert ours(bare) == []
    assert [line.split()[0] for line in said] == ["shell", "supervisord", "nothing"]
