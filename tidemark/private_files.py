"""Files and folders that only their owner may read: sockets, secrets, what a service is started with."""

import os
from collections.abc import Callable
from pathlib import Path

from tidemark.errors import TidemarkError


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner may enter, or make an existing one so.

    Raises:
        TidemarkError: the folder belongs to somebody else, who could read and replace what we put there.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.stat().st_uid != os.getuid():
        raise TidemarkError(f"{path}: the folder belongs to another user", "set TIDEMARK_HOME to a folder of your own")
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step: a reader sees the old text or the new, never a part."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def written_once(path: Path, make: Callable[[], str]) -> str:
    """Give the text of a private file; make it the first time."""
    if not path.exists():
        write_private(path, make())
    return path.read_text(encoding="utf-8")
