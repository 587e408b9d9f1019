"""Redis' hashes, on a real server with our configuration: never older, and made again from Delta."""

import json
import logging
import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from redis.exceptions import ResponseError
from typer.testing import CliRunner

from tests.redis_server import RedisServer, running_redis, with_redis
from tidemark.cli import command_line
from tidemark.errors import TidemarkError
from tidemark.redis_hashes import PRODUCT_SALES, Hashes, RedisTrouble, newest_windows, rebuild_by_hand
from tidemark.services import settings_environment
from tidemark.settings import Settings

pytestmark = pytest.mark.services

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("product_id", pa.string()),
        ("window_start", pa.timestamp("us", "UTC")),
        ("window_end", pa.timestamp("us", "UTC")),
        ("quantity", pa.int64()),
        ("revenue", pa.float64()),
        ("unique_customers", pa.int64()),
    ]
)
TEXTS = [(0.1, "0.1"), (0.1 + 0.2, "0.30000000000000004"), (1250.0, "1250"), (1e16, "10000000000000000"), (None, "")]


def window(product: str, minutes: int, quantity: int = 1, revenue: float | None = 1.0) -> dict[str, Any]:
    start = NOON + timedelta(minutes=minutes)
    values = {"quantity": quantity, "revenue": revenue, "unique_customers": 1}
    return {"product_id": product, "window_start": start, "window_end": start + timedelta(minutes=5)} | values


def table(windows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(windows), schema=SCHEMA)


def land(settings: Settings, *windows: dict[str, Any]) -> None:
    write_deltalake(settings.table("speed", "product_sales"), table(windows), mode="append")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(with_redis(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture
def settings(server: RedisServer, tmp_path: Path) -> Settings:
    """Give a lake of the test's own over an empty Redis."""
    server.client.flushall()
    return Settings.model_validate({"home": tmp_path, "TIDEMARK_REDIS_PORT": server.settings.redis_port})


@pytest.fixture
def hashes(settings: Settings) -> Hashes:
    return Hashes(PRODUCT_SALES, settings)


def test_the_server_keeps_nothing_evicts_nothing_and_listens_on_loopback(server: RedisServer) -> None:
    due = {"bind": "127.0.0.1", "protected-mode": "yes", "save": "", "appendonly": "no", "unixsocket": ""}
    due |= {"maxmemory": str(256 * 2**20), "maxmemory-policy": "noeviction", "enable-debug-command": "no"}
    found: Any = server.client.config_get(*due)
    assert found == due
    with pytest.raises(ResponseError, match="DEBUG command not allowed"):
        server.client.execute_command("DEBUG", "SLEEP", "0")  # type: ignore[no-untyped-call]


def test_an_older_window_never_overwrites_a_newer_one(hashes: Hashes, server: RedisServer) -> None:
    hashes.write(table([window("p1", 5, 7)]))
    hashes.write(table([window("p1", 0, 99), window("p2", 0, 3)]))
    assert {name: each["quantity"] for name, each in server.hashes("product").items()} == {"p1": "7", "p2": "3"}
    hashes.write(table([window("p1", 5, 8), window("p1", 0, 100)]))
    assert server.hashes("product")["p1"] == {
        "quantity": "8",
        "revenue": "1",
        "unique_customers": "1",
        "window_end": "2026-01-31T12:10:00Z",
    }


@pytest.mark.parametrize(("revenue", "text"), TEXTS)
def test_a_double_is_its_shortest_decimal(
    hashes: Hashes, server: RedisServer, revenue: float | None, text: str
) -> None:
    hashes.write(table([window("p1", 0, revenue=revenue)]))
    assert server.hashes("product")["p1"]["revenue"] == text


def test_a_rebuild_puts_right_whatever_redis_has(settings: Settings, hashes: Hashes, server: RedisServer) -> None:
    land(settings, *(window(f"p{number}", 5, number) for number in range(2500)))
    land(settings, window("p1", 0, 99), window("p2", 10, 12, revenue=None))  # an older one lands later
    server.client.hset("product:p0", mapping={"window_end": "2999-01-01T00:00:00Z", "strange": "1"})
    server.client.set("product:p1", "no hash")
    assert not hashes.are_complete()
    rebuilt = hashes.rebuild()
    assert (rebuilt.hashes, rebuilt.newest) == (2500, "2026-01-31T12:15:00Z")
    assert hashes.are_complete()
    found = server.hashes("product")
    assert {name: int(each["quantity"]) for name, each in found.items()} == {
        f"p{number}": 12 if number == 2 else number for number in range(2500)
    }
    assert {frozenset(each) for each in found.values()} == {frozenset(PRODUCT_SALES.columns) - {"product_id"}}
    assert found["p2"]["revenue"] == ""


def test_the_newest_windows_are_the_same_however_the_table_is_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minutes in (10, 0, 5):
        land(settings, *(window(f"p{number}", minutes + number, minutes) for number in range(20)))
    monkeypatch.setattr("tidemark.redis_hashes._FOLD", 7)
    found = newest_windows(settings.table("speed", "product_sales"), PRODUCT_SALES).to_pylist()
    assert sorted((row["product_id"], row["quantity"]) for row in found) == sorted((f"p{n}", 10) for n in range(20))


def test_a_flushed_server_is_not_complete(settings: Settings, hashes: Hashes, server: RedisServer) -> None:
    land(settings, window("p1", 0))
    hashes.rebuild()
    assert hashes.are_complete()
    server.client.flushall()
    assert not hashes.are_complete()


def test_the_command_writes_every_hash_and_says_so(
    settings: Settings, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in settings_environment(settings).items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(TidemarkError, match="there is no table yet"):
        rebuild_by_hand(settings, PRODUCT_SALES)
    land(settings, window("p1", 0), window("p2", 5))
    said = CliRunner().invoke(command_line(), ["redis", "rebuild"]).stdout
    assert said == "product_sales: 2 hashes product:* written; the newest window ends 2026-01-31T12:10:00Z\n"
    first = server.hashes("product")
    server.client.flushall()
    (found,) = json.loads(CliRunner().invoke(command_line(), ["redis", "rebuild", "--json"]).stdout)
    assert found["hashes"] == len(first) == 2
    assert server.hashes("product") == first


def test_trouble_names_the_address_and_never_the_password(
    server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place = f"127.0.0.1:{server.settings.redis_port}"
    right, wrong = (
        Settings(home=tmp_path, redis_url=f"redis://:{password}@{place}/0") for password in ("secret", "geheim")
    )
    server.client.config_set("requirepass", "secret")
    try:
        Hashes(PRODUCT_SALES, right).are_complete()
        with pytest.raises(RedisTrouble, match=rf"redis://{place}/0: ") as refused:
            Hashes(PRODUCT_SALES, wrong).are_complete()
    finally:
        server.client.execute_command("AUTH", "secret")  # type: ignore[no-untyped-call]
        server.client.config_set("requirepass", "")
    assert "geheim" not in str(refused.value) + caplog.text + repr(wrong)


def test_a_server_that_hangs_is_trouble_within_seconds(hashes: Hashes, server: RedisServer) -> None:
    server.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(RedisTrouble, match="Timeout"):
            hashes.are_complete()
    finally:
        server.send_signal(signal.SIGCONT)
    assert not hashes.are_complete()
