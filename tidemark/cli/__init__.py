"""The command line: `tidemark <command>`. One module a group of commands; engines start as processes of their own."""

import sys

import typer

from tidemark.cli import (
    backfill,
    contracts,
    dbt,
    demo,
    lake,
    produce,
    prove,
    quality,
    quarantine,
    redis,
    schemas,
    services,
    settings,
    status,
    trust,
    upkeep,
    watch,
)
from tidemark.errors import TidemarkError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
for group in (
    services,
    status,
    demo,
    contracts,
    produce,
    prove,
    lake,
    upkeep,
    watch,
    backfill,
    quality,
    trust,
    quarantine,
    redis,
    schemas,
    dbt,
    settings,
):
    group.register(app)


def main() -> None:
    """Run the command line; an error that a person is meant to read is printed without a traceback."""
    try:
        app()
    except TidemarkError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
