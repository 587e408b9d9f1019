"""The alerts: each fires when it should, is quiet when it should, and says what to do. Prometheus' own tool judges."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.alert_matrix import expected as expected_of_faults
from tests.metrics import catalogue, names_in, unknown
from tidemark.prometheus_server import RULES
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

CASES = sorted(RULES.parent.glob("*_test.yaml"))


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def cases() -> dict[str, dict[str, Any]]:
    return {case["name"]: case for file in CASES for case in yaml.safe_load(file.read_text())["tests"]}


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    assert program, "there is no promtool: make setup-ops"
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)


def expected(case: dict[str, Any]) -> Iterator[str]:
    """Give the names of the alerts that a case expects."""
    for test in case["promql_expr_test"]:
        for sample in test["exp_samples"]:
            yield from re.findall(r'alertname="(\w+)"', sample["labels"])


def test_prometheus_takes_the_rules() -> None:
    done = promtool("check", "rules", RULES)
    assert (done.returncode, f"{len(alerts())} rules found" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_every_alert_fires_and_is_quiet_as_its_cases_say(file: Path) -> None:
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stderr + done.stdout


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_quiet() -> None:
    known = cases()
    assert len(alerts()) >= 20
    assert len(known) >= 2 * len(alerts())
    for name, rule in alerts().items():
        fires, quiet = known[f"{name}: fires"], known[f"{name}: quiet"]
        assert set(expected(fires)) == {name}
        assert [*expected(quiet)] == []
        assert all(
            f'ALERTS{{alertname="{name}", alertstate="firing"}}' in each["expr"] for each in quiet["promql_expr_test"]
        )
        given = {series["series"].split("{")[0] for series in quiet["input_series"]}
        assert given >= names_in(rule["expr"]), f"{name}: quiet for want of its metrics"


def test_every_alert_has_a_fault_that_fires_it_for_real() -> None:
    assert {each.name for each in expected_of_faults()} == set(alerts())


def test_rules_and_cases_use_only_metrics_of_the_catalogue() -> None:
    assert len(catalogue()) >= 45
    given = [series["series"] for case in cases().values() for series in case["input_series"]]
    assert unknown([*(rule["expr"] for rule in alerts().values()), *given]) == set()


@pytest.mark.parametrize("name", alerts())
def test_alert_says_how_bad_it_is_what_is_wrong_and_what_to_do(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["labels"]["told_by"] in ("streams", "exporter", "prometheus")
    assert len(rule["annotations"]["summary"]) > 20 and len(rule["annotations"]["description"]) > 60
    runbook = ROOT / rule["annotations"]["runbook"]
    assert runbook.parent == ROOT / "docs" / "runbooks" and runbook.is_file()
    assert f"`{name}`" in runbook.read_text(), "the runbook does not name the alert"
