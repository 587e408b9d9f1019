"""docker/compose.yaml: the containers are what one machine's supervisor runs, and no more open than that.

compose-spec.json is the Compose Specification's own schema, of compose-go 2.6.4 (Apache 2.0).
"""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from tests.dockerfiles import instructions, stages
from tidemark.dashboard import SOURCE
from tidemark.redis_server import server_configuration
from tidemark.services import Service, all_services, find_service
from tidemark.settings import ROOT, Settings, variable

pytestmark = pytest.mark.unit

DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
PROGRAM = ["python", "-m", "tidemark.container"]
OURS = {name: each for name, each in CONTAINERS.items() if each.get("command", [])[:3] == PROGRAM}
JOINED = {name: each for name, each in CONTAINERS.items() if "network_mode" in each}
LAKEHOUSE, AIRFLOW = (instructions(DOCKER / name / "Dockerfile") for name in ("lakehouse", "airflow"))
# Programs of images that are not ours, as their makers document them.
THEIRS = {
    "redis": "redis-cli",
    "postgres": "pg_isready",
    "prometheus": "promtool",
    "alertmanager": "amtool",
    "grafana": "wget",
}
UNITS = {"m": 1, "g": 1024}


@pytest.fixture
def twins(redis_program: Path) -> dict[str, Service]:
    """Give what the supervisor runs on a machine that has all."""
    return {service.name: service for service in all_services(Settings())}


def environment(container: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = container.get("environment", {})
    return found


def megabytes(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]]


def test_file_fits_the_specification() -> None:
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
    jsonschema.Draft7Validator(schema).validate(COMPOSE)


def test_every_service_of_one_machine_has_its_container(twins: dict[str, Service]) -> None:
    assert len(twins) == 12
    assert set(CONTAINERS) == {*twins, "postgres", "lakehouse", "grafana"}
    assert set(OURS) == set(twins) - {"redis", "prometheus", "alertmanager"}


@pytest.mark.parametrize("name", OURS)
def test_container_runs_its_service_and_is_asked_by_its_probe(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    container = OURS[name]
    for key, value in environment(container).items():
        monkeypatch.setenv(key, value)
    settings = Settings.load()
    assert container["command"][3:] == ["run", name]
    assert container["healthcheck"]["test"] == ["CMD", "python", "-m", "tidemark.container", "ready", name]
    assert find_service(settings, name).name == name
    assert settings.host == container.get("hostname", "lakehouse")


def test_every_setting_exists() -> None:
    ours = {variable(name) for name in Settings.model_fields}
    used = {key for each in CONTAINERS.values() for key in environment(each) if key.startswith("TIDEMARK_")}
    assert len(used) >= 7
    assert used - ours == set()


def test_others_are_found_where_they_are() -> None:
    settings = environment(CONTAINERS["streams"])
    defaults = Settings()
    assert settings["TIDEMARK_KAFKA_BOOTSTRAP"] == f"kafka:{defaults.kafka_port}"
    assert settings["TIDEMARK_REGISTRY_URL"] == f"http://registry:{defaults.registry_port}/apis/ccompat/v7"
    assert settings["TIDEMARK_REDIS_URL"] == f"redis://redis:{defaults.redis_port}/0"
    assert settings["TIDEMARK_PROMETHEUS_URL"] == f"http://prometheus:{defaults.prometheus_port}"


def test_redis_is_configured_as_on_one_machine() -> None:
    words = iter(CONTAINERS["redis"]["command"][1:])
    said = {name.removeprefix("--"): value for name, value in zip(words, words, strict=True)}
    lines = (line.split(" ", 1) for line in server_configuration(Settings()).splitlines())
    wanted = {name: value.strip('"') for name, value in lines}
    assert said == {name: value for name, value in wanted.items() if name != "bind"} | {"protected-mode": "no"}


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_monitoring_is_started_as_on_one_machine(name: str, twins: dict[str, Service]) -> None:
    """Paths and the address are the container's; what else is said is the same."""
    here, there = (
        dict(word.split("=", 1) for word in command)
        for command in (twins[name].command[1:], CONTAINERS[name]["command"])
    )
    assert here.keys() == there.keys()
    own = {"--config.file", "--web.listen-address", "--storage.path", "--storage.tsdb.path"}
    assert {key: here[key] for key in here if key not in own} == {key: there[key] for key in there if key not in own}
    assert here["--web.listen-address"].rpartition(":")[2] == there["--web.listen-address"].rpartition(":")[2]


def test_what_is_read_by_a_container_is_there_and_where_it_is_looked_for() -> None:
    given = {name: DOCKER / how["file"] for name, how in COMPOSE["configs"].items()}
    assert [path for path in given.values() if not path.resolve().is_relative_to(ROOT) or not path.is_file()] == []
    placed = {
        each["source"]: each["target"] for container in CONTAINERS.values() for each in container.get("configs", [])
    }
    assert placed.keys() == given.keys()
    for name in ("prometheus", "alertmanager"):
        assert f"--config.file={placed[name]}" in CONTAINERS[name]["command"]
    rules = yaml.safe_load(given["prometheus"].read_text())["rule_files"]
    assert [str(Path(placed["prometheus"]).parent / each) for each in rules] == [placed["rules"]]
    (source,) = yaml.safe_load(given["grafana_source"].read_text())["datasources"]
    assert source["url"] == f"http://prometheus:{Settings().prometheus_port}" and source["uid"] == SOURCE["uid"]
    (provider,) = yaml.safe_load(given["grafana_provider"].read_text())["providers"]
    assert provider["options"]["path"] == str(Path(placed["grafana_dashboard"]).parent)
    assert (
        environment(CONTAINERS["grafana"])["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == placed["grafana_dashboard"]
    )


def test_container_starts_after_what_its_service_waits_for(twins: dict[str, Service]) -> None:
    healthy = {
        name: {other for other, how in each.get("depends_on", {}).items() if how["condition"] == "service_healthy"}
        for name, each in CONTAINERS.items()
    }
    for name, service in twins.items():
        assert set(service.needs) <= healthy[name]
    assert "postgres" in healthy["airflow-api"]
    after_api = {name for name in twins if twins[name].group == "airflow"} - {"airflow-api"}
    assert after_api == {name for name, others in healthy.items() if "airflow-api" in others} != set()


def test_container_has_the_time_to_stop_that_its_service_has(twins: dict[str, Service]) -> None:
    for name, service in twins.items():
        assert int(CONTAINERS[name]["stop_grace_period"].removesuffix("s")) >= service.stop_wait


def test_who_shares_a_name_shares_processes_and_home() -> None:
    """A lease says host and process: who can't see the holder's process takes it for gone."""
    assert len(JOINED) == 7
    for container in JOINED.values():
        assert container["pid"] == container["network_mode"] == "service:lakehouse"
        assert container["volumes"] == ["home:/var/lib/tidemark"]
        assert container["depends_on"]["lakehouse"] == {"condition": "service_started", "restart": True}
        assert not container.get("init")
    assert CONTAINERS["lakehouse"]["init"]


def test_nothing_is_published_beyond_loopback() -> None:
    published = [port for each in CONTAINERS.values() for port in each.get("ports", [])]
    at, outside, inside = zip(*(port.split(":") for port in published), strict=True)
    settings = Settings()
    ours = {settings.airflow_port, settings.thrift_port, settings.connect_port, settings.streams_port}
    ours |= {settings.prometheus_port, settings.alertmanager_port, 3000}
    assert set(at) == {"127.0.0.1"}
    assert outside == inside and set(map(int, inside)) == ours


@pytest.mark.parametrize("name", CONTAINERS)
def test_container_may_do_little(name: str) -> None:
    container = CONTAINERS[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", container["user"])
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices"} & set(container)
    assert all(volume.split(":")[0] in COMPOSE["volumes"] for volume in container.get("volumes", []))
    assert 0 < megabytes(container["mem_limit"]) <= 4096


@pytest.mark.parametrize(
    ("name", "heap"), [("streams", "TIDEMARK_STREAMS_MEMORY"), ("warehouse", "TIDEMARK_WAREHOUSE_MEMORY")]
)
def test_heap_leaves_room_in_the_container(name: str, heap: str) -> None:
    assert megabytes(CONTAINERS[name]["mem_limit"]) >= 1.5 * megabytes(environment(CONTAINERS[name])[heap])


def test_libraries_that_java_unpacks_can_be_loaded() -> None:
    for container in (*OURS.values(), CONTAINERS["lakehouse"]):
        place, options = container["tmpfs"][0].split(":")
        assert place == "/tmp" and "exec" in options.split(",")  # noqa: S108


def test_every_image_version_is_pinned() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = {each["image"] for each in CONTAINERS.values()}
    ours = {f"tidemark-lakehouse:{version}", f"tidemark-airflow:{version}"}
    bases = {words.split()[0] for word, words in [*LAKEHOUSE, *AIRFLOW] if word == "FROM"}
    own = stages(LAKEHOUSE) | CONTAINERS["airflow-api"]["build"]["additional_contexts"].keys()
    others = (images - ours) | (bases - own)
    assert ours <= images
    assert len(others) == 6
    assert [image for image in others if not re.fullmatch(r"([a-z]+/)?[a-z]+:v?\d+(\.\d+)+(-[a-z]+)?", image)] == []


def test_what_a_container_is_asked_with_is_in_its_image() -> None:
    """`python` is the lakehouse's own, which has what the probes import."""
    search = next(words for word, words in LAKEHOUSE if word == "ENV" and words.startswith("PATH="))
    assert search.startswith("PATH=/opt/tidemark/.venv/bin:")
    assert ("COPY", "--from=build /opt/tidemark/.venv .venv") in LAKEHOUSE and (
        "COPY",
        "tidemark tidemark",
    ) in LAKEHOUSE
    assert AIRFLOW[-4] == ("FROM", "lakehouse")
    for name, program in THEIRS.items():
        assert CONTAINERS[name]["healthcheck"]["test"][:2] == ["CMD", program]
    assert {name for name, each in CONTAINERS.items() if "healthcheck" not in each} == {"lakehouse"}


def test_our_images_run_as_the_containers_do() -> None:
    (user,) = (words for word, words in LAKEHOUSE if word == "USER")
    assert {each["user"] for name, each in CONTAINERS.items() if "tidemark" in each["image"]} == {user}
    home = next(words for word, words in LAKEHOUSE if word == "RUN" and "/var/lib/tidemark" in words)
    assert "--uid {} --owner={} --group={}".format(*3 * [user.split(":")[0]]) in " ".join(
        re.findall(r"--uid \d+|--(?:owner|group)=\d+", home)
    )


def test_password_stands_in_a_file_alone(tmp_path: Path) -> None:
    line = environment(CONTAINERS["airflow-api"])["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD"].replace("$$", "$")
    secret = tmp_path / "postgres_password"
    secret.write_text("5ec4e7\n")
    words = [word.replace("/run/secrets/postgres_password", str(secret)) for word in shlex.split(line)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert told == "postgresql+psycopg2://airflow:5ec4e7@postgres/airflow"
    names = ("postgres_password", "grafana_password")
    assert COMPOSE["secrets"] == {name: {"file": f"./secrets/{name}"} for name in names}
    assert environment(CONTAINERS["grafana"])["GF_SECURITY_ADMIN_PASSWORD__FILE"] == f"/run/secrets/{names[1]}"
    assert CONTAINERS["grafana"]["secrets"] == ["grafana_password"]
    assert "secrets/" in (DOCKER / ".gitignore").read_text().splitlines()
