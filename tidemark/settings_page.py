"""The page of all settings, made from their descriptions."""

from pathlib import Path
from typing import Any

from tidemark.settings import ROOT, Settings, variable

PAGE = ROOT / "docs" / "settings.md"

_HEAD = """# Settings

Made from `tidemark/settings.py` by `tidemark settings`; don't edit it. Each is an environment variable.

| variable | default | what it is |
| --- | --- | --- |
"""


def settings_page() -> str:
    """Write the page."""
    rows = [
        f"| `{variable(name)}` | {_shown(info.default)} | {info.description} |"
        for name, info in Settings.model_fields.items()
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _shown(default: Any) -> str:
    if isinstance(default, Path):
        return f"`{default.relative_to(ROOT)}`"
    return f"`{default}`" if default != "" else ""
