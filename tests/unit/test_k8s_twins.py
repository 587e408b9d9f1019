"""docker/k8s: the pods' containers are what compose.yaml's are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.manifests import (
    ENTRY,
    WAITING,
    Manifest,
    compose,
    containers,
    environment,
    generated,
    mebibytes,
    of_kind,
    pods,
)
from tidemark.settings import Settings, variable

pytestmark = pytest.mark.unit

COMPOSE = compose()
SERVICES: dict[str, Manifest] = {name: each for name, each in COMPOSE["services"].items() if "healthcheck" in each}
PODS = pods()
EACH = [(pod, container) for pod, spec in PODS.items() for container in containers(spec)]
TWINS = {container["name"]: (PODS[pod], container) for pod, container in EACH if container["name"] not in WAITING}


def claims(name: str) -> list[str]:
    return [each["metadata"]["name"] for each in of_kind("StatefulSet").get(name, {}).get("volumeClaimTemplates", [])]


def test_every_container_of_compose_has_its_twin() -> None:
    assert len(SERVICES) == 14
    assert TWINS.keys() == SERVICES.keys()
    joined = {name for name, each in COMPOSE["services"].items() if each.get("pid") == "service:lakehouse"}
    assert joined == {each["name"] for each in containers(PODS["lakehouse"])} - WAITING
    assert PODS["lakehouse"]["shareProcessNamespace"] is True
    assert of_kind("Deployment").keys() == {"grafana"}  # it alone keeps nothing


@pytest.mark.parametrize("name", SERVICES)
def test_twin_is_started_and_asked_as_in_compose(name: str) -> None:
    service, (pod, twin) = SERVICES[name], TWINS[name]
    assert twin["image"] == service["image"]
    assert twin.get("args") == service.get("command")
    assert "command" not in twin
    for probe in ("startupProbe", "readinessProbe"):
        if probe in twin:
            assert ["CMD", *twin[probe]["exec"]["command"]] == service["healthcheck"]["test"]
    assert "readinessProbe" in twin and "livenessProbe" not in twin
    assert mebibytes(twin["resources"]["limits"]["memory"]) == mebibytes(service["mem_limit"])
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == service["user"]
    assert pod["terminationGracePeriodSeconds"] >= int(service["stop_grace_period"].removesuffix("s"))


@pytest.mark.parametrize("name", SERVICES)
def test_twin_is_told_what_compose_tells(name: str) -> None:
    """But where a program listens, and folders: a volume's root belongs to the cluster."""
    told = {key: str(value).replace("$$", "$") for key, value in SERVICES[name].get("environment", {}).items()}
    found = environment(TWINS[name][1])
    own = {"TIDEMARK_HOST", "TIDEMARK_HOME", "PGDATA"}
    assert {key: found[key] for key in found.keys() - own} == {key: told[key] for key in told.keys() - own}
    home = next((each["mountPath"] for each in TWINS[name][1]["volumeMounts"]), "")
    for folder in (found[key] for key in ("TIDEMARK_HOME", "PGDATA") if key in found):
        assert Path(folder).parent == Path(home)


def test_every_setting_exists() -> None:
    ours = {variable(name) for name in Settings.model_fields}
    used = {key for _, each in EACH for key in environment(each) if key.startswith("TIDEMARK_")}
    assert len(used) == 9
    assert used - ours == set()


def test_program_listens_where_those_are_who_ask_it() -> None:
    """Loopback is what `kubectl port-forward` reaches; what others reach has their name for it, or every address."""
    listens = {name: environment(each).get("TIDEMARK_HOST") for name, (_, each) in TWINS.items()}
    assert listens["kafka"] == "kafka" and listens["registry"] == "registry"
    outside = {name for name, host in listens.items() if host == "0.0.0.0"}  # noqa: S104
    assert outside == {"streams", "metrics"}
    assert {host for name, host in listens.items() if name.startswith("airflow") or name == "warehouse"} == {
        "127.0.0.1"
    }
    early = {name for name, each in of_kind("Service").items() if each.get("publishNotReadyAddresses")}
    assert early == {"kafka", "registry", "lakehouse"}


@pytest.mark.parametrize("name", SERVICES)
def test_twin_finds_the_same_files_in_the_same_places(name: str) -> None:
    service, (pod, twin) = SERVICES[name], TWINS[name]
    volumes = {each["name"]: each for each in pod["volumes"]}
    made = {"configMap": generated("configMapGenerator"), "secret": generated("secretGenerator")}
    found: dict[str, Path] = {}
    for mount in twin["volumeMounts"]:
        for source in sources(volumes.get(mount["name"], {})):
            ((kind, how),) = source.items()
            files = made[kind][how.get("name") or how["secretName"]]
            found |= {f"{mount['mountPath']}/{key}": path.resolve() for key, path in files.items()}
    wanted = {each["target"]: COMPOSE["configs"][each["source"]]["file"] for each in service.get("configs", [])}
    wanted |= {f"/run/secrets/{each}": COMPOSE["secrets"][each]["file"] for each in service.get("secrets", [])}
    assert found == {target: (ENTRY / file).resolve() for target, file in wanted.items()}
    assert [path for path in found.values() if not path.is_file() and path.parent.name != "secrets"] == []


def sources(volume: Manifest) -> list[Manifest]:
    """Give what a volume takes its files from."""
    if "projected" in volume:
        projected: list[Manifest] = volume["projected"]["sources"]
        return projected
    return [{kind: volume[kind]} for kind in ("configMap", "secret") if kind in volume]


@pytest.mark.parametrize("name", SERVICES)
def test_twin_keeps_the_same_on_volumes_and_in_memory(name: str) -> None:
    service, (pod, twin) = SERVICES[name], TWINS[name]
    keeper = next(other for other, spec in PODS.items() if spec is pod)
    mounts = {each["name"]: each["mountPath"] for each in twin["volumeMounts"]}
    assert [f"{claim}:{mounts[claim]}" for claim in claims(keeper)] == service.get("volumes", [])
    in_memory = {
        mounts[each["name"]]: mebibytes(each["emptyDir"]["sizeLimit"])
        for each in pod["volumes"]
        if each.get("emptyDir", {}).get("medium") == "Memory" and each["name"] in mounts
    }
    wanted = {place.split(":")[0]: mebibytes(place.rpartition("size=")[2]) for place in service.get("tmpfs", [])}
    wanted |= {"/dev/shm": mebibytes(service["shm_size"])} if "shm_size" in service else {}  # noqa: S108
    assert in_memory.keys() == wanted.keys()
    assert all(in_memory[place] >= wanted[place] for place in wanted)


def test_order_of_start_is_that_of_compose() -> None:
    """A container that stays holds up those behind it until its startup probe is answered, if it has one."""
    line = PODS["lakehouse"]["initContainers"]
    ready_before: dict[str, set[str]] = {}
    ready: set[str] = set()
    for each in [*line, *PODS["lakehouse"]["containers"]]:
        ready_before[each["name"]] = set(ready)
        if each in line and (each["name"] in WAITING or "startupProbe" in each):
            ready.add(each["name"].removesuffix("-ready"))
        assert each["name"] in WAITING or each not in line or each["restartPolicy"] == "Always"
    for name in ready_before.keys() - WAITING:
        needs = SERVICES[name].get("depends_on", {})
        healthy = {other for other, how in needs.items() if how["condition"] == "service_healthy"}
        assert healthy <= ready_before[name]
    assert sum(len(ready_before[name]) for name in ("metrics", "streams")) == 1  # which wait for nobody but Kafka


def test_what_waits_asks_what_the_other_is_asked() -> None:
    waits = {each["name"]: each["command"][-1] for _, each in EACH if each["name"] in WAITING}
    for name in ("kafka", "postgres"):
        probe = " ".join(SERVICES[name]["healthcheck"]["test"][1:]).replace("127.0.0.1", name)
        assert waits[f"{name}-ready"] == f"until {probe}; do sleep 2; done"
    image = {each["name"]: each["image"] for _, each in EACH}
    assert all(image[f"{name}-ready"] == image[name] for name in ("kafka", "postgres"))


@pytest.mark.parametrize(("host", "goes_on"), [("127.0.0.1", True), ("192.0.2.1", False)])
def test_program_starts_when_its_name_is_its_own(host: str, goes_on: bool) -> None:
    """An address of documentation is nobody's: a name that still leads to the pod before is not ours."""
    lines = {yaml.safe_dump(each["command"]) for _, each in EACH if each["name"] == "address"}
    (line,) = lines
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {"PATH": search, "TIDEMARK_HOST": host}
    try:
        subprocess.run(yaml.safe_load(line), env=environ, timeout=10 if goes_on else 1, check=True)
    except subprocess.TimeoutExpired:
        assert not goes_on
    else:
        assert goes_on
