"""The command line: `tidemark <command>`. One module a group of commands; engines start as processes of their own."""

import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from tidemark.errors import TidemarkError
from tidemark.lazily import without_pandas

# Only the group that is asked for is loaded: what all of them need takes longer than most commands.
GROUPS = {
    "services": ("up", "down", "logs", "restart", "doctor"),
    "status": ("status",),
    "demo": ("demo",),
    "contracts": ("contracts",),
    "produce": ("produce",),
    "prove": ("prove",),
    "lake": ("compact", "reconcile", "recompute", "topic"),
    "upkeep": ("maintain", "maintain-layer", "vacuum", "retire"),
    "recovery": ("backup", "restore", "recover"),
    "watch": ("watch",),
    "metrics": ("metrics",),
    "monitoring": ("alerts", "provision"),
    "backfill": ("backfill",),
    "quality": ("gate", "profile"),
    "trust": ("trust",),
    "quarantine": ("quarantine", "replay"),
    "redis": ("redis",),
    "schemas": ("schemas",),
    "dbt": ("dbt", "dbt-sources", "register"),
    "settings": ("settings",),
}


def command_line(words: Sequence[str] = ()) -> typer.Typer:
    """Give the commands that some words ask for; all of them if they name none."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
    app.callback()(_nothing)  # a lone command would have no name otherwise
    wanted = [group for group, names in GROUPS.items() if words and words[0] in names]
    for group in wanted or GROUPS:
        import_module(f"tidemark.cli.{group}").register(app)
    return app


def main() -> None:
    """Run the command line; an error that a person is meant to read is printed without a traceback."""
    try:
        with without_pandas():
            command_line(sys.argv[1:])()
    except TidemarkError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _nothing() -> None:
    pass
