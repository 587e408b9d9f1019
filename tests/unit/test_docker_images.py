"""The recipes of the images: what they take from the project is there, and is let in."""

import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.dockerfiles import Instruction, copied, instructions
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

RECIPES = {name: instructions(ROOT / "docker" / name / "Dockerfile") for name in ("lakehouse", "airflow")}


@pytest.mark.parametrize("name", RECIPES)
def test_hadolint_finds_nothing(name: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    line = [str(hadolint), "--no-color", str(ROOT / "docker" / name / "Dockerfile")]
    assert subprocess.run(line, capture_output=True, text=True, timeout=60, check=False).stdout == ""


def is_let_in(source: str) -> bool:
    """Read .dockerignore: the last line that fits decides."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    fitting = [line for line in lines if fnmatch(source, line.lstrip("!")) or source.startswith(line.lstrip("!") + "/")]
    return fitting[-1].startswith("!")


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_copied_is_there_and_let_in(name: str) -> None:
    sources = copied(RECIPES[name])
    assert len(sources) >= 3
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if not is_let_in(source)] == []


def test_state_and_secrets_are_not_let_in() -> None:
    kept_out = (
        ".git",
        ".venv",
        ".jars",
        "var/lake",
        "docker/secrets/postgres_password",
        "tests",
        "tidemark/__pycache__",
    )
    assert [path for path in kept_out if is_let_in(path)] == []


def made(recipe: list[Instruction]) -> list[str]:
    return [words.removeprefix("make ") for word, words in recipe if word == "RUN" and words.startswith("make ")]


def test_images_are_made_by_the_targets_of_set_up() -> None:
    assert made(RECIPES["lakehouse"]) == ["jars", ".venv/.stamp"]
    assert made(RECIPES["airflow"]) == [".venv-airflow/.stamp"]
    assert ("RUN", "python -m streaming.class_archive") in RECIPES["lakehouse"]
    rules = (ROOT / "Makefile").read_text().splitlines()
    for target in (".venv/.stamp", ".venv-airflow/.stamp", "jars"):
        assert any(line.startswith(f"{target}:") for line in rules)


@pytest.mark.parametrize("name", RECIPES)
def test_image_does_not_end_as_root(name: str) -> None:
    """Airflow's last stage begins as the lakehouse's ended."""
    last = max(number for number, (word, _) in enumerate(RECIPES[name]) if word == "FROM")
    users = [words for word, words in RECIPES[name][last:] if word == "USER"]
    assert users == (["10001:10001"] if name == "lakehouse" else [])
