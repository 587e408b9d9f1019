"""What docker/kustomization.yaml lists and generates, as far as the tests ask for it."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tidemark.settings import ROOT

ENTRY = ROOT / "docker"

# Containers that wait for something and end; the others stay, and are those of compose.
WAITING = {"address", "kafka-ready", "postgres-ready"}

Manifest = dict[str, Any]


@cache
def compose() -> Manifest:
    """Read compose.yaml."""
    found: Manifest = yaml.safe_load((ENTRY / "compose.yaml").read_text())
    return found


@cache
def entry(folder: Path = ENTRY) -> Manifest:
    """Read a folder's kustomization."""
    found: Manifest = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return found


@cache
def manifests() -> list[Manifest]:
    """Give every manifest that the kustomization lists."""
    files = (ENTRY / each for each in entry()["resources"] if each.endswith(".yaml"))
    return [manifest for file in files for manifest in yaml.safe_load_all(file.read_text())]


def generated(kind: str) -> dict[str, dict[str, Path]]:
    """Give the files of each ConfigMap or Secret that is made from files, by the name that a pod sees.

    Args:
        kind: `configMapGenerator` or `secretGenerator`.
    """
    folders = [ENTRY, *((ENTRY / each).resolve() for each in entry()["resources"] if not each.endswith(".yaml"))]
    made = ((folder, each) for folder in folders for each in entry(folder).get(kind, []))
    return {each["name"]: {Path(file).name: folder / file for file in each.get("files", [])} for folder, each in made}


@cache
def settings() -> dict[str, str]:
    """Give the variables of the ConfigMap that every program of the lakehouse has."""
    (file,) = (ENTRY / name for each in entry()["configMapGenerator"] for name in each.get("envs", []))
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def of_kind(*kinds: str) -> dict[str, Manifest]:
    """Give the specifications of the manifests of some kinds by name."""
    return {each["metadata"]["name"]: each["spec"] for each in manifests() if each["kind"] in kinds}


def pods() -> dict[str, Manifest]:
    """Give the pods' specifications by the name of what keeps them."""
    return {name: each["template"]["spec"] for name, each in of_kind("StatefulSet", "Deployment").items()}


def containers(pod: Manifest) -> list[Manifest]:
    """Give all containers of a pod, in the order of their start."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def environment(container: Manifest) -> dict[str, str]:
    """Give what a container finds in its environment."""
    own = {each["name"]: each["value"] for each in container.get("env", [])}
    return (settings() if container.get("envFrom") else {}) | own


def mebibytes(text: str) -> int:
    """Read an amount of memory as compose and as Kubernetes write it."""
    units = {"Mi": 1, "Gi": 1024, "m": 1, "g": 1024}
    number = text.rstrip("MGimg")
    return int(number) * units[text.removeprefix(number)]
