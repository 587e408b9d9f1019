"""`tidemark settings`"""

import typer

from tidemark.settings_page import PAGE, settings_page


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(settings)


def settings() -> None:
    """Write docs/settings.md anew from the settings' descriptions, and print it."""
    PAGE.write_text(settings_page(), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"), end="")
