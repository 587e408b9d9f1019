"""Folders in the lake for what a job has worked out and needs again: the warehouse reads and writes them too."""

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tidemark.settings import Settings

_FORGOTTEN_SECONDS = 24 * 3600.0  # no job takes so long: what is older was left by one that was killed


@contextmanager
def scratch(settings: Settings) -> Iterator[Path]:
    """Give a folder that is gone afterwards; remove what killed jobs have left."""
    root = Path(settings.lake_root) / "_staging"
    for left in root.glob("*"):
        if left.stat().st_mtime < time.time() - _FORGOTTEN_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    folder = root / str(uuid.uuid4())
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
