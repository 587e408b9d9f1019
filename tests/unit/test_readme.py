"""Every command that the pages show exists; what is quick and harmless is run."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from tidemark.cli import command_line
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "runbooks").glob("*.md"))]
RUN = ("tidemark contracts check", "tidemark status")


def shown(page: Path) -> list[str]:
    """Give the command lines of a page: console blocks, and commands in running text."""
    text = page.read_text()
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return lines + re.findall(r"`((?:tidemark|make) [^`]+)`", text)


COMMANDS = sorted({command for page in PAGES for command in shown(page)})


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_pages_show_commands() -> None:
    assert len(COMMANDS) >= 15


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("make ")])
def test_make_target_exists(command: str) -> None:
    done = run("make", "--dry-run", command.split()[1])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("tidemark ")])
def test_tidemark_command_and_its_options_exist(command: str) -> None:
    found, words = typer.main.get_command(command_line()), shlex.split(command)[1:]
    while isinstance(found, typer.core.TyperGroup):
        assert words and words[0] in found.commands, f"{found.name} has no such command"
        found = found.commands[words.pop(0)]
    if found.name == "dbt":  # the rest is dbt's
        return
    options = {option for each in found.params for option in each.opts}
    assert [word for word in words if word.startswith("-") and word not in options] == []


@pytest.mark.parametrize("command", RUN)
def test_quick_command_runs(command: str) -> None:
    assert command in COMMANDS
    done = run(str(ROOT / ".venv/bin/tidemark"), *command.split()[1:])
    assert done.returncode == 0, done.stderr
