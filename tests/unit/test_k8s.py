"""docker/k8s: Kubernetes takes the manifests, and nothing is more open than it must be."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from tests.manifests import ENTRY, Manifest, compose, containers, entry, manifests, mebibytes, of_kind, pods, settings
from tidemark.settings import ROOT, Settings

pytestmark = pytest.mark.unit

MANIFESTS = manifests()
PODS = pods()
EACH = [(pod, container) for pod, spec in PODS.items() for container in containers(spec)]
# The oldest version that has containers which stay beside those that follow them, and the newest that is known.
VERSIONS = ("1.29", "1.37")


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_fit_the_schemas_of_kubernetes(version: str) -> None:
    assert len(MANIFESTS) == 30
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_kustomize_builds_it(tmp_path: Path) -> None:
    """Each pod then names what was generated, under the name that kustomize gave it."""
    program = next(
        (words for words in (["kustomize", "build"], ["kubectl", "kustomize"]) if shutil.which(words[0])), None
    )
    if not program:
        pytest.skip("neither kustomize nor kubectl is installed")
    for folder in ("docker", "alerts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("secrets"))
    (tmp_path / "docker" / "secrets").mkdir()
    for secret in compose()["secrets"]:
        (tmp_path / "docker" / "secrets" / secret).write_text("5ec4e7\n")
    line = [*program, str(tmp_path / "docker")]
    text = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60).stdout
    built = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    for manifest in built:
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)
        assert "tidemark" in (manifest["metadata"].get("namespace"), manifest["metadata"]["name"])
    made = {each["metadata"]["name"] for each in built if each["kind"] in ("ConfigMap", "Secret")}
    assert len(made) == 8 and len(built) == len(MANIFESTS) + 8
    pods_text = json.dumps([each["spec"] for each in built if "template" in each.get("spec", {})])
    assert [name for name in made if f'"{name}"' not in pods_text] == []


@pytest.mark.parametrize("name", PODS)
def test_pod_may_do_little(name: str) -> None:
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert [each for each in pod["volumes"] if not {"emptyDir", "configMap", "secret", "projected"} & each.keys()] == []
    assert {each["secret"]["defaultMode"] for each in pod["volumes"] if "secret" in each} <= {0o440}


@pytest.mark.parametrize(("pod", "container"), EACH, ids=[f"{pod}-{each['name']}" for pod, each in EACH])
def test_container_may_do_little(pod: str, container: Manifest) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    limits, requests = (container["resources"][kind] for kind in ("limits", "requests"))
    assert 0 < mebibytes(requests["memory"]) <= mebibytes(limits["memory"]) and requests["cpu"]
    assert all("valueFrom" not in each for each in container.get("env", []))
    assert [each for each in container.get("envFrom", []) if "secretRef" in each] == []
    assert [port for port in container.get("ports", []) if "hostPort" in port] == []


def test_cluster_refuses_what_may_do_more() -> None:
    (namespace,) = (each for each in MANIFESTS if each["kind"] == "Namespace")
    assert namespace["metadata"]["name"] == entry()["namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_nothing_is_published() -> None:
    services = of_kind("Service")
    assert services.keys() == PODS.keys()
    for name, service in services.items():
        assert service.get("type", "ClusterIP") == "ClusterIP" and "externalIPs" not in service
        assert service["selector"] == {"app.kubernetes.io/name": name}
        assert {each["port"] for each in service["ports"]} <= {
            port["containerPort"] for each in containers(PODS[name]) for port in each.get("ports", [])
        }
    assert [each["kind"] for each in MANIFESTS if each["kind"] in ("Ingress", "Gateway", "HTTPRoute")] == []


def ways(direction: str, peer: str) -> set[tuple[str, str, int]]:
    """Give who may reach whom at which port, as one side of the policies says it: asker, asked, port."""
    found = set()
    for policy in of_kind("NetworkPolicy").values():
        here = policy["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name")
        for rule in policy.get(direction, []) if here else []:
            there = [each["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for each in rule[peer]]
            pairs = [(other, here) if direction == "ingress" else (here, other) for other in there]
            found |= {(*pair, port["port"]) for pair in pairs for port in rule["ports"]}
    return found


def addresses(texts: list[str]) -> set[tuple[str, int]]:
    """Find the services' addresses in what the programs are told."""
    places = (text.rpartition("//")[2].split("/")[0].split(":") for text in texts)
    return {(place[0], int(place[1])) for place in places if len(place) == 2 and place[1].isdigit()}


def test_policies_open_what_is_asked_for_and_nothing_else() -> None:
    nothing, names = (each for each in of_kind("NetworkPolicy").values() if each["podSelector"] == {})
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert names["policyTypes"] == ["Egress"] and [each["ports"] for each in names["egress"]] == [
        [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
    ]
    jobs = yaml.safe_load((ENTRY / "prometheus" / "prometheus.yaml").read_text())
    (source,) = yaml.safe_load((ENTRY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    targets = [job["static_configs"][0]["targets"][0] for job in jobs["scrape_configs"]]
    wanted = {("lakehouse", *each) for each in addresses([*settings().values(), "postgres:5432"])}
    wanted |= {("prometheus", *each) for each in addresses(targets) if each[0] != "prometheus"}
    wanted |= {("grafana", *each) for each in addresses([source["url"]])}
    assert len(wanted) == 9
    assert ways("ingress", "from") == ways("egress", "to") == wanted


def test_drain_waits_for_those_that_would_be_missed() -> None:
    budgets = of_kind("PodDisruptionBudget")
    assert budgets.keys() == {"kafka", "postgres", "lakehouse"}
    for name, budget in budgets.items():
        assert budget["maxUnavailable"] == 0
        assert budget["selector"] == {"matchLabels": {"app.kubernetes.io/name": name}}


def test_what_the_readme_names_is_there() -> None:
    lines = [line for line in (ENTRY / "k8s" / "README.md").read_text().splitlines() if line.startswith("$ kubectl")]
    assert len(lines) == 11
    text = "\n".join(lines)
    assert {name.removesuffix("-0") for name in re.findall(r"(?:pod|statefulset)/(\S+)", text)} < of_kind(
        "StatefulSet"
    ).keys()
    assert set(re.findall(r"service/(\S+)", text)) == {"grafana"}
    assert set(re.findall(r"--container (\S+)", text)) <= {each["name"] for each in containers(PODS["lakehouse"])}
    defaults = Settings()
    ours = {defaults.airflow_port, defaults.thrift_port, defaults.connect_port, defaults.streams_port}
    (forwarded,) = re.findall(r"port-forward pod/lakehouse-0 (.*)", text)
    assert set(map(int, forwarded.split())) == ours
    assert f"{settings()['TIDEMARK_HOME']}/airflow/" in text
