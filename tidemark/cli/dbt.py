"""`tidemark dbt`, `dbt-sources` and `register`: dbt with this project's settings."""

from typing import Annotated

import typer

from tidemark import dbt
from tidemark.contracts import read_contracts
from tidemark.settings import ROOT, Settings

_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("dbt", context_settings=_PASS_ON, add_help_option=False)(run_dbt)
    app.command("dbt-sources")(write_sources)
    app.command("register")(register_tables)


def run_dbt(
    context: typer.Context,
    changed: Annotated[
        bool,
        typer.Option(
            "--changed",
            help="Leave out models whose inputs have no news; unit tests too, if no model is made otherwise.",
        ),
    ] = False,
) -> None:
    """Run dbt on the warehouse: `tidemark dbt build`, `tidemark dbt test --select silver`, …"""
    run = dbt.build_changed if changed else dbt.become_dbt
    run(Settings.load(), context.args)


def write_sources() -> None:
    """Write dbt's sources anew from the contracts."""
    settings = Settings.load()
    dbt.SOURCES.write_text(dbt.sources_yaml(read_contracts(settings.contracts_dir)), encoding="utf-8")
    print(f"wrote {dbt.SOURCES.relative_to(ROOT)}")


def register_tables() -> None:
    """Make the lake's tables known to the warehouse, and the views of quarantined rows."""
    dbt.become_dbt(Settings.load(), ["run-operation", "register_lake"])
