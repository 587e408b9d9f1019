"""Imports go one way, engines stay in their homes, and the CLI starts without any."""

import ast
import math
import pkgutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from importlinter import api

import tidemark.cli
from expectations import UNUSED
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

OURS = {"tidemark", "streaming", "expectations", "dags", "tests", "benchmarks"}
ENGINES = {"pyspark", "delta", "airflow", "cosmos", "great_expectations"}

# What each of our folders may import of our own and of the engines.
ALLOWED: Mapping[str, set[str]] = {
    "tidemark": {"tidemark"},
    "streaming": {"tidemark", "streaming", "pyspark", "delta"},
    # Of pyspark only what its sessions raise.
    "expectations": {"tidemark", "streaming", "expectations", "great_expectations", "pyspark.errors"},
    "dags": {"tidemark", "airflow", "cosmos"},
}

_LOADED = "import sys, importlib; [importlib.import_module(name) for name in sys.argv[1:]]; print(*sys.modules)"


def imported(source: str) -> Iterator[str]:
    """Give each module that a source imports, inside functions too; not those that are only named in types."""
    tree = ast.parse(source)
    in_types = (
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    skipped = {inner for node in in_types for inner in ast.walk(node)}
    for node in (node for node in ast.walk(tree) if node not in skipped):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield str(node.module) if node.level == 0 else "a relative import"


def strays(folder: Path, allowed: set[str]) -> list[str]:
    """Give the imports below a folder that are ours or an engine's, and not allowed."""
    guarded = OURS | ENGINES | {"a relative import"}
    found = [(path, name) for path in sorted(folder.rglob("*.py")) for name in sorted(set(imported(path.read_text())))]
    ours = [(path, name) for path, name in found if name.split(".")[0] in guarded]
    return [f"{path.name} imports {name}" for path, name in ours if not {name, name.split(".")[0]} & allowed]


def test_imports_go_one_way() -> None:
    """The contracts are in pyproject.toml."""
    assert len(api.read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]) == 5
    lint = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(lint, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    assert strays(ROOT / folder, ALLOWED[folder]) == []


def test_every_folder_with_python_has_its_rule() -> None:
    with_python = {path.parent.name for path in ROOT.glob("*/*.py")} - {"tests", "benchmarks"}
    assert with_python <= set(ALLOWED)
    assert {"tidemark", "streaming"} <= with_python


@pytest.mark.parametrize(
    "line",
    ["import pyspark", "from pyspark.sql import types", "def f():\n    import delta.tables", "from . import names"],
)
def test_a_stray_import_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.py").write_text(f"import os\nimport tidemark.names\n{line}\n")
    assert len(strays(tmp_path, ALLOWED["tidemark"])) == 1


def loaded(*modules: str) -> set[str]:
    """Give the packages that a fresh interpreter has loaded after importing these."""
    command = [sys.executable, "-c", _LOADED, *modules]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in result.stdout.split()}


def test_neither_the_library_nor_the_command_line_loads_an_engine() -> None:
    modules = [module.name for module in pkgutil.walk_packages(tidemark.__path__, "tidemark.")]
    modules.remove("tidemark.__main__")  # runs the command line
    assert len([name for name in modules if name.startswith("tidemark.cli.")]) >= 6
    assert len(modules) >= 30
    packages = loaded("tidemark", *modules)
    assert {"tidemark", "typer"} <= packages
    assert packages & (ENGINES | {"streaming", "expectations", "py4j"}) == set()


@pytest.mark.parametrize("module", ["tidemark", "streaming.batch.reconcile", "streaming.batch.maintain"])
def test_no_command_and_no_job_waits_for_pandas(module: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", module, "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    packages = {line.rpartition("|")[2].strip() for line in told.splitlines()}
    assert "pyarrow.dataset" in packages and "pandas.core" not in packages


def test_who_needs_pandas_has_it_although_pyarrow_was_loaded_without() -> None:
    script = "import sys, streaming.batch; print('pandas' in sys.modules)"
    frame = "import pyarrow; print(pyarrow.table({'a': [7]}).to_pandas().a[0])"
    result = subprocess.run(
        [sys.executable, "-c", f"{script}; {frame}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n7\n"


def test_a_gate_loads_what_no_suite_uses_only_when_it_is_used() -> None:
    script = "import sys, expectations.gate; print(*sys.modules); import scipy; print(scipy.stats.entropy([1, 1]))"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    before, entropy = result.stdout.splitlines()
    assert set(before.split()) >= UNUSED
    assert [name for name in before.split() if name.startswith(("scipy.stats.", "altair."))] == []
    assert float(entropy) == pytest.approx(math.log(2))


def test_one_place_builds_spark_sessions() -> None:
    sources = [path for folder in ALLOWED for path in (ROOT / folder).rglob("*.py")]
    builders = [path for path in sources if "SparkSession.builder" in path.read_text()]
    assert [path.relative_to(ROOT) for path in builders] == [Path("streaming/session.py")]
