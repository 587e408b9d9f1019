"""Exports: files in which the operational system, or an archive, says what its topic should have carried.

They lie under `exports/<contract>/date=D/` (what happened on that day, UTC) or anywhere below `exports/<contract>/` for
an archive. A file is known by the hash of its bytes: a row of it is at the source position (`export:<hash>`, 0, row).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

from tidemark import bronze
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.settings import Settings

FORMATS = (".parquet", ".jsonl", ".csv")

_UNFINISHED = (".", "_")  # begins the names of files that somebody is still writing, and of marks like _SUCCESS
_CHUNK = 1024 * 1024


class ExportRefused(TidemarkError):
    """A file can't be taken as a whole; nothing of it was."""


@dataclass(frozen=True)
class ExportFile:
    """One file, whose bytes are what names its rows."""

    path: Path

    @cached_property
    def topic(self) -> str:
        """The `_topic` of its rows."""
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return f"{bronze.EXPORT}{digest.hexdigest()}"


def of_day(settings: Settings, contract: Contract, day: date) -> list[ExportFile]:
    """List the files that a contract's system has exported for a day; none: it has not.

    Raises:
        ExportRefused: one of them is none of ours to read.
    """
    folder = _folder(settings, contract) / f"date={day.isoformat()}"
    return _files(folder, _folder(settings, contract)) if folder.exists() else []


def of_archive(settings: Settings, contract: Contract, place: str) -> list[ExportFile]:
    """List the files of an archive.

    Args:
        place: a file or folder below the contract's exports.

    Raises:
        ExportRefused: there is no such place, or one of its files is none of ours to read.
    """
    path = _folder(settings, contract) / place
    if not path.exists():
        raise ExportRefused(f"{path}: there is no such file or folder", "name one below the contract's exports")
    return _files(path, _folder(settings, contract))


def _folder(settings: Settings, contract: Contract) -> Path:
    return settings.exports_dir / contract.id


def _files(place: Path, folder: Path) -> list[ExportFile]:
    return sorted((_checked(path, folder.resolve()) for path in _below(place)), key=lambda file: file.path)


def _below(place: Path) -> Iterator[Path]:
    for path in [place] if place.is_file() else place.rglob("*"):
        inside = path.relative_to(place.parent).parts
        if not path.is_dir() and not any(part.startswith(_UNFINISHED) for part in inside):
            yield path


def _checked(path: Path, root: Path) -> ExportFile:
    if not path.resolve().is_relative_to(root):
        raise ExportRefused(f"{path}: leads out of {root}", "put the file itself there, not a link to it")
    if path.suffix not in FORMATS or not path.is_file():
        raise ExportRefused(f"{path}: allowed are files that end in {', '.join(FORMATS)}", "rename or remove the file")
    return ExportFile(path)
