"""The embedded Redis: how it is configured, and what is said where there is none."""

import socket
import threading
from pathlib import Path

import pytest

from tidemark import doctor
from tidemark.check_finding import Finding
from tidemark.errors import TidemarkError
from tidemark.optional_services import absent
from tidemark.probes import RedisProbe
from tidemark.redis_server import prepare, server_configuration
from tidemark.services import Service, all_services, find_service
from tidemark.settings import Settings

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("redis_program")]

INSTALL = "sudo apt-get install redis-server"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", port_offset=1000)


def names(services: tuple[Service, ...]) -> list[str]:
    return [service.name for service in services]


def test_no_redis_of_ours_where_another_is_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, redis_url="redis://:geheim@far:1/0")
    assert "redis" not in names(all_services(settings))
    assert absent(settings) == []
    assert doctor.redis(settings) == Finding("Redis", is_ok=True, found="redis://far:1/0", fix=INSTALL)


def test_a_machine_without_redis_does_without_and_says_so(settings: Settings, redis_program: Path) -> None:
    assert absent(settings) == []
    redis_program.unlink()
    assert "redis" not in names(all_services(settings))
    assert [line.partition("\n  fix: ")[::2] for line in absent(settings)] == [
        ("redis is not installed: product_sales goes to Delta alone", INSTALL)
    ]
    assert not doctor.redis(settings).is_ok
    with pytest.raises(TidemarkError, match="redis-server is not installed"):
        prepare(settings)


def test_no_stream_needs_redis(settings: Settings) -> None:
    assert find_service(settings, "streams").needs == ("kafka",)


def test_redis_is_on_loopback_bounded_and_keeps_nothing(settings: Settings) -> None:
    lines = server_configuration(settings).splitlines()
    assert {"bind 127.0.0.1", "port 7379", "maxmemory 256mb", "maxmemory-policy noeviction"} <= set(lines)
    assert {'save ""', "appendonly no", "protected-mode yes", "enable-debug-command no"} <= set(lines)
    assert find_service(settings, "redis").command[-1] == f"{settings.home}/redis/redis.conf"


def test_what_listens_and_does_not_speak_redis_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].sendall(b"HTTP/1.1 400\r\n"), daemon=True).start()
        assert not RedisProbe("127.0.0.1", server.getsockname()[1]).ready(0)
    assert not RedisProbe("127.0.0.1", 1).ready(0)
