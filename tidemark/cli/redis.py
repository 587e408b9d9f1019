"""`tidemark redis …`"""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from tidemark.settings import Settings

group = typer.Typer(no_args_is_help=True, help="Redis: the newest window of each key, for those who read by key.")


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(group, name="redis")


@group.command()
def rebuild(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
    """Write every hash anew from its Delta table; a running stream does it by itself when Redis comes back."""
    # Reads Delta tables: other commands start faster without.
    from tidemark.redis_hashes import LAYOUTS, rebuild_by_hand

    settings = Settings.load()
    written = [rebuild_by_hand(settings, layout) for layout in LAYOUTS]
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in written]))
        return
    for each in written:
        newest = f"; the newest window ends {each.newest}" if each.newest else ""
        typer.echo(f"{each.table}: {each.hashes:,} hashes {each.prefix}:* written{newest}")
