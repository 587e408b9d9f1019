"""`tidemark contracts …`"""

import typer
from rich.console import Console
from rich.table import Table

from tidemark.contracts import read_contracts
from tidemark.settings import Settings

group = typer.Typer(no_args_is_help=True, help="Contracts: one YAML file per topic.")


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(group, name="contracts")


@group.command()
def check() -> None:
    """Check every contract file; list all problems with file, line and field. Exit 1 if there is any."""
    contracts = read_contracts(Settings.load().contracts_dir)
    table = Table("contract", "version", "topic", "columns", "key", "checks")
    for contract in contracts.values():
        sizes = (str(len(contract.columns)), ", ".join(contract.key), str(len(contract.quality)))
        table.add_row(contract.id, contract.version, contract.topic, *sizes)
    Console().print(table)
