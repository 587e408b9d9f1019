"""Command lines: what Airflow runs and the CLI starts, word by word."""

import sys
from inspect import isfunction
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from tidemark import commands
from tidemark.cli import GROUPS, command_line
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

TIDEMARK = str(ROOT / ".venv" / "bin" / "tidemark")
DAY = "2025-01-02"

LINES = [
    (commands.produce("rides", 10, "--bad-rate", "0.02"), "produce rides --count 10 --bad-rate 0.02 --json"),
    (commands.compact("rides", DAY), "compact rides --date 2025-01-02"),
    (commands.maintain("rides"), "maintain rides"),
    (commands.maintain_layer("gold"), "maintain-layer gold"),
    (commands.watch(), "watch --mend"),
    (commands.trust_page(), "trust --html"),
    (commands.reconcile("rides", DAY), "reconcile rides --date 2025-01-02"),
    (commands.reconcile("rides", DAY, remove_extra=True), "reconcile rides --date 2025-01-02 --remove-extra"),
    (commands.prove("rides"), "prove rides --wait 60"),
    (commands.prove("rides", "sales", wait_seconds=5), "prove rides sales --wait 5"),
    (commands.gate("silver", ["stg_rides", "stg_sales"]), "gate silver.stg_rides silver.stg_sales"),
    (commands.replay("rides", "range", "--dry-run"), "replay rides --reason range --dry-run"),
    (commands.recompute(DAY), "recompute 2025-01-02"),
    (commands.dbt_build("silver"), "dbt build --select silver"),
    ([*commands.dbt_of_what_changed(), "build"], "dbt --changed build"),
    (
        commands.backfill("plan", DAY, DAY, "exports", ["rides", "sales"]),
        "backfill plan --from 2025-01-02 --to 2025-01-02 --source exports --path . rides sales",
    ),
    (commands.dbt_docs(Path("docs")), "dbt docs generate --static --target-path docs"),
]


@pytest.mark.parametrize(("line", "words"), LINES)
def test_each_command_is_its_words(line: list[str], words: str) -> None:
    assert line == [TIDEMARK, *words.split()]


def test_each_command_is_tested_here() -> None:
    public = [name for name, made in vars(commands).items() if isfunction(made) and not name.startswith("_")]
    assert {line[1].split("-")[0] for line, _ in LINES} | {"job"} == {name.split("_")[0] for name in public}
    assert len(public) == 16


@pytest.mark.parametrize(("line", "words"), LINES)
def test_the_command_line_takes_the_words(line: list[str], words: str) -> None:
    group = typer.main.get_command(command_line())
    assert isinstance(group, TyperGroup)
    _, name, *arguments = line
    context = group.commands[name].make_context(name, list(arguments))  # raises where it does not
    assert context.params or context.args, words


def test_a_template_stays_one_word() -> None:
    assert commands.reconcile("rides", "{{ ds }}")[1:] == ["reconcile", "rides", "--date", "{{ ds }}"]


def test_a_job_runs_in_this_environment() -> None:
    assert commands.job("compact", "rides", "--json") == [
        sys.executable,
        "-m",
        "streaming.batch.compact",
        "rides",
        "--json",
    ]


def test_a_command_is_a_list_so_no_shell_reads_its_words() -> None:
    assert commands.compact("rides; rm -rf ~", DAY)[2] == "rides; rm -rf ~"


def test_each_command_is_found_by_its_name_alone() -> None:
    everything = typer.main.get_command(command_line())
    assert isinstance(everything, TyperGroup)
    assert everything.commands.keys() == {name for names in GROUPS.values() for name in names}
    for name in everything.commands:
        alone = typer.main.get_command(command_line([name]))
        assert isinstance(alone, TyperGroup)
        assert name in alone.commands
