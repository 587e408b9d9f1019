"""Settings: read once, frozen, and a wrong value explains itself."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tidemark.errors import TidemarkError
from tidemark.settings import Settings, without_password

pytestmark = pytest.mark.unit

PORTS = {
    "kafka_port": 9092,
    "controller_port": 9093,
    "thrift_port": 10000,
    "connect_port": 15002,
    "airflow_port": 8080,
    "streams_port": 9108,
    "redis_port": 6379,
    "registry_port": 8081,
    "metrics_port": 9109,
    "prometheus_port": 9090,
    "alertmanager_port": 9094,
    "airflow_log_port": 8793,
    "airflow_trigger_log_port": 8794,
}

WRONG = [
    ("TIDEMARK_PORT_OFFSET", "ten", "valid integer"),
    ("TIDEMARK_PORT_OFFSET", "-1", "greater than or equal to 0"),
    ("TIDEMARK_PORT_OFFSET", "50001", "less than or equal to 50000"),
    ("TIDEMARK_KAFKA_PORT", "9092x", "valid integer"),
    ("TIDEMARK_AIRFLOW_LOG_PORT", "", "valid integer"),
    ("TIDEMARK_KAFKA_PORT", "0", "allowed is 1 to 65535"),
    ("TIDEMARK_THRIFT_PORT", "65536", "allowed is 1 to 65535, since TIDEMARK_PORT_OFFSET is 0"),
    ("TIDEMARK_TOPIC_PARTITIONS", "0", "greater than or equal to 1"),
    ("TIDEMARK_STREAMS_MEMORY", "2 GB", r"match pattern '^\d+[mg]$'"),
    ("TIDEMARK_MAX_OFFSETS_PER_TRIGGER", "0", "greater than or equal to 1"),
    ("TIDEMARK_FUTURE_LIMIT_MINUTES", "-5", "greater than or equal to 0"),
    ("TIDEMARK_REDIS_MEMORY", "1g", r"match pattern '^\d+mb$'"),
    ("TIDEMARK_LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of settings start from none, whatever this process was started with."""
    for name in (*Settings.model_fields, *PORTS):
        for variable in (f"TIDEMARK_{name.upper()}", f"TIDEMARK_{name.upper().removeprefix('BASE_')}"):
            monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(("variable", "found", "allowed"), WRONG)
def test_a_wrong_value_names_the_variable_what_was_found_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str, found: str, allowed: str
) -> None:
    monkeypatch.setenv(variable, found)
    with pytest.raises(TidemarkError) as refused:
        Settings.load()
    assert refused.value.what.startswith(f"{variable}: found {found!r}; ")
    assert allowed in refused.value.what
    assert "unset the variable" in refused.value.fix


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@far/catalog", "postgresql://far/catalog", "postgresql://me@far"]
)
def test_an_address_of_a_catalog_has_a_user_and_a_database_and_no_password(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("TIDEMARK_CATALOG_URL", "postgresql://me@far:5433/catalog")
    assert Settings.load().catalog_url == "postgresql://me@far:5433/catalog"
    monkeypatch.setenv("TIDEMARK_CATALOG_URL", url)
    with pytest.raises(TidemarkError, match="allowed is postgresql://user@host") as refused:
        Settings.load()
    assert "secret" not in str(refused.value)


def test_every_wrong_value_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_PORT_OFFSET", "x")
    monkeypatch.setenv("TIDEMARK_LOG_LEVEL", "y")
    with pytest.raises(TidemarkError) as refused:
        Settings.load()
    assert [line.split(":")[0] for line in refused.value.what.splitlines()] == [
        "TIDEMARK_PORT_OFFSET",
        "TIDEMARK_LOG_LEVEL",
    ]


def test_every_port_has_its_default() -> None:
    settings = Settings.load()
    assert {name: getattr(settings, name) for name in PORTS} == PORTS


def test_every_port_that_is_a_setting_is_tested_here() -> None:
    assert {name for name in dir(Settings) if name.endswith("_port")} == set(PORTS)
    assert sum(name.endswith("_port") for name in Settings.model_fields) == len(PORTS) == 13


def test_the_offset_shifts_every_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_PORT_OFFSET", "1000")
    settings = Settings.load()
    assert {name: getattr(settings, name) for name in PORTS} == {name: port + 1000 for name, port in PORTS.items()}


def test_a_port_that_the_offset_shifts_beyond_the_last_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_PORT_OFFSET", "50000")
    assert Settings.load().connect_port == 65_002
    monkeypatch.setenv("TIDEMARK_CONNECT_PORT", "16000")
    with pytest.raises(TidemarkError, match=r"^TIDEMARK_CONNECT_PORT: found '16000'; allowed is 1 to 15535, since"):
        Settings.load()


@pytest.mark.parametrize("name", PORTS)
def test_each_port_has_a_variable_of_its_own_which_moves_no_other(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"TIDEMARK_{name.upper()}", "20000")
    monkeypatch.setenv("TIDEMARK_PORT_OFFSET", "7")
    settings = Settings.load()
    moved = {each: getattr(settings, each) for each in PORTS}
    assert moved == {each: port + 7 for each, port in PORTS.items()} | {name: 20_007}


def test_no_two_ports_are_the_same() -> None:
    assert len(set(PORTS.values())) == len(PORTS)


def test_addresses_follow_the_ports_unless_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_PORT_OFFSET", "3")
    assert Settings.load().bootstrap == "127.0.0.1:9095"
    assert Settings.load().connect_url == "sc://127.0.0.1:15005"
    assert Settings.load().redis_address == "redis://127.0.0.1:6382/0"
    monkeypatch.setenv("TIDEMARK_KAFKA_BOOTSTRAP", "broker:1")
    monkeypatch.setenv("TIDEMARK_SPARK_REMOTE", "sc://far:2")
    monkeypatch.setenv("TIDEMARK_REDIS_URL", "rediss://far:3/1")
    assert Settings.load().bootstrap == "broker:1"
    assert Settings.load().connect_url == "sc://far:2"
    assert Settings.load().redis_address == "rediss://far:3/1"


@pytest.mark.parametrize("url", ["http://:geheim@far:1", "redis://:gehe/im@far", "far?password=geheim", "geheim"])
def test_a_wrong_address_of_redis_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TIDEMARK_REDIS_URL", url)
    with pytest.raises(TidemarkError, match=r"^TIDEMARK_REDIS_URL: found .*; allowed is redis://") as refused:
        Settings.load()
    assert "gehe" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://far:1/0", "redis://far:1/0"),
        ("redis://user:ge@he/im@far:1/0", "redis://far:1/0"),
        ("rediss://far?password=geheim", "***"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert "geheim" not in repr(Settings.model_validate({"redis_url": url}))


def test_all_state_is_under_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path))
    settings = Settings.load()
    assert settings.table("bronze", "rides") == f"{tmp_path}/lake/bronze/rides"
    assert settings.checkpoint("bronze_rides") == tmp_path / "checkpoints" / "bronze_rides"
    assert settings.logs == tmp_path / "logs"
    assert settings.run == tmp_path / "run"


def test_a_relative_home_gives_absolute_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEMARK_HOME", "state")
    assert Settings.load().lake_root == str(tmp_path / "state" / "lake")
    assert Settings.load().checkpoint("q").is_absolute()


def test_the_lake_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_LAKE", "/mnt/lake/")
    assert Settings.load().table("bronze", "rides") == "/mnt/lake/bronze/rides"


def test_an_object_store_without_an_arbiter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_LAKE", "s3a://lake/")
    with pytest.raises(TidemarkError, match=r"TIDEMARK_LAKE: found 's3a://lake/'; .*loses commits"):
        Settings.load()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Settings.load(), "home", Path("elsewhere"))  # noqa: B010 - what mypy forbids too


def test_a_variable_of_another_program_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_SOMETHING_ELSE", "1")
    assert Settings.load().port_offset == 0
