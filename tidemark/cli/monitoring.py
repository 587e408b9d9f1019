"""`tidemark alerts` and `provision`: what Prometheus says is wrong, and what it and Grafana read in containers."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tidemark.prometheus_api import firing
from tidemark.settings import ROOT, Settings

_COLOURS = {"critical": "bold red", "warning": "yellow"}


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (alerts, provision):
        app.command()(command)


def alerts(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show the alerts that fire, each with its runbook.

    Exit 0: there is none. 1: there are some. 2: nobody can tell.
    """
    found = firing(Settings.load())
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        Console().print(_table(found) if found else "no alert fires")
    if found:
        raise typer.Exit(1)


def provision() -> None:
    """Write the files anew that Prometheus, Alertmanager and Grafana read in containers."""
    from tidemark.monitoring_files import monitoring_files

    for path, text in monitoring_files().items():
        path.write_text(text, encoding="utf-8")
        typer.echo(path.relative_to(ROOT))


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("alert", "since", "what", "runbook")
    for each in found:
        colour = _COLOURS.get(each["labels"].get("severity", ""), "")
        table.add_row(f"[{colour}]{each['name']}", each["since"][:19], each["summary"], each["runbook"])
    return table
