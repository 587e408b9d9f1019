"""`tidemark schemas …`"""

from collections.abc import Iterator

import typer

from tidemark.contracts import Contract, read_contracts
from tidemark.errors import TidemarkError
from tidemark.settings import Settings

group = typer.Typer(no_args_is_help=True, help="Schemas: the Avro contracts' subjects in the registry.")


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(group, name="schemas")


@group.command("register")
def register_all() -> None:
    """Register the schema of every Avro contract, with its compatibility; the streams do it when they start."""
    # The registry's client is slow to import: other commands start faster without.
    from tidemark.registry import Registry, subject_of

    settings = Settings.load()
    registry = Registry(settings)
    for contract in _avro_contracts(settings):
        schema_id = registry.ensure(contract)
        typer.echo(f"{contract.id}: {subject_of(contract)} has it under id {schema_id}, {contract.compatibility}")


@group.command()
def check() -> None:
    """Ask the registry whether each contract's schema may follow the newest of its subject. Exit 1 if one may not."""
    from tidemark.registry import Registry, subject_of

    settings = Settings.load()
    registry = Registry(settings)
    broken = []
    for contract in _avro_contracts(settings):
        fits = registry.is_compatible(contract)
        typer.echo(f"{contract.id}: {'fits' if fits else 'breaks'} {subject_of(contract)}, {contract.compatibility}")
        broken += [] if fits else [contract.id]
    if broken:
        raise TidemarkError(f"{', '.join(broken)}: not compatible", "make new columns optional, and change no type")


def _avro_contracts(settings: Settings) -> Iterator[Contract]:
    contracts = read_contracts(settings.contracts_dir).values()
    return (contract for contract in contracts if contract.format == "avro")
