"""Back up what of TIDEMARK_HOME can't be made anew, while everything runs; and put it back.

The lake is not copied: it is large, and its tables are copied by whatever copies folders, each table's `_delta_log`
before its data (docs/runbooks/disaster.md). Kafka's records are the source's.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidemark.copying import copy_checkpoint, copy_database, copy_still
from tidemark.errors import TidemarkError
from tidemark.leftovers import left_behind
from tidemark.locks import held_since
from tidemark.private_files import private_folder
from tidemark.settings import Settings
from tidemark.supervisor import Supervisor, socket_path
from tidemark.waiting import Say

MANIFEST = "manifest.json"

_FORMAT = 1
_NAMED = 3  # files in a message

Copy = Callable[[Path, Path], None]


@dataclass(frozen=True)
class File:
    """One file of a backup."""

    sha256: str
    size: int
    mode: int


def backup(settings: Settings, folder: Path, say: Say) -> None:
    """Copy everything to a new folder; its manifest is written last, so that a backup without one is half a backup.

    Raises:
        TidemarkError: the folder has something in it, or a copy of one moment could not be had.
    """
    if folder.exists() and any(folder.iterdir()):
        raise TidemarkError(f"{folder} is not empty", "name a folder that is not there yet")
    private_folder(folder)
    home, parts = settings.home.absolute(), []
    for name, copy in _parts(settings):
        if (home / name).exists():
            copy(home / name, folder / name)
            say(f"copied {name}")
            parts.append(name)
    for line in _elsewhere(settings):
        say(line)
    files = {str(path.relative_to(folder)): asdict(_file(path)) for path in _files(folder)}
    manifest = {"format": _FORMAT, "made_at": datetime.now(UTC).isoformat(), "parts": parts, "files": files}
    _write_durably(folder / MANIFEST, json.dumps(manifest, indent=1))
    say(f"{len(files):,} files in {folder}; the lake ({settings.lake_root}) is not among them: copy it for itself")


def restore(settings: Settings, folder: Path, say: Say) -> None:
    """Put a whole backup in the place of what is there, which is moved aside.

    Raises:
        TidemarkError: it is not whole, or services run.
    """
    manifest = _checked(folder)
    _refuse_while_anything_runs(settings)
    home, stamp = private_folder(settings.home.absolute()), datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    fresh, aside = home / f".restoring-{stamp}", home / f"before-restore-{stamp}"
    for part in manifest["parts"]:
        copy_still(folder / part, fresh / part)
    for part in manifest["parts"]:
        if (home / part).exists():
            (aside / part).parent.mkdir(parents=True, exist_ok=True)
            (home / part).rename(aside / part)
            say(f"moved {part} to {aside.name}")
        (home / part).parent.mkdir(parents=True, exist_ok=True)
        (fresh / part).rename(home / part)
        say(f"restored {part}")
    shutil.rmtree(fresh, ignore_errors=True)
    say(f"as it was at {manifest['made_at']}; `tidemark recover` says what follows from that")


def _parts(settings: Settings) -> Iterator[tuple[str, Copy]]:
    """Name what is copied, below the home, and how; what is not there is left out."""
    home = settings.home.absolute()
    for path in sorted((home / "checkpoints").glob("*")):
        if path.is_file() or "." not in path.name:  # one that was moved aside has a dot
            yield f"checkpoints/{path.name}", copy_checkpoint if path.is_dir() else copy_still
    yield "registry", copy_still
    yield "schemas", copy_still
    yield "warehouse/metastore_db", copy_still
    yield "secrets", copy_still
    yield "airflow/airflow.db", copy_database
    for path in sorted((home / "airflow").glob(".*")):
        if path.is_file():
            yield f"airflow/{path.name}", copy_still
    yield "airflow/simple_auth_manager_passwords.json.generated", copy_still


def _elsewhere(settings: Settings) -> Iterator[str]:
    """Say what a person must keep safe by other means."""
    if settings.pii_key_file:
        yield f"not copied: the key of the tokens, which TIDEMARK_PII_KEY_FILE names: {settings.pii_key_file}"
    if settings.catalog_url:
        yield f"not copied: the catalog, which is on Postgres: pg_dump {settings.catalog_url}"
    if not (settings.home / "airflow" / "airflow.db").exists():
        yield "not copied: Airflow's database: there is none in the home; of one on Postgres, pg_dump makes a copy"
    if settings.registry_url:
        yield "not copied: the registry, which TIDEMARK_REGISTRY_URL names"


def _checked(folder: Path) -> dict[str, Any]:
    """Give a backup's manifest.

    Raises:
        TidemarkError: the backup is not whole.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        what = f"{folder} has no {MANIFEST}: it is no backup, or one that was not finished"
        raise TidemarkError(what, "use another one") from None
    if manifest["format"] != _FORMAT:
        what = f"{folder} is a backup of format {manifest['format']}, and this program knows {_FORMAT}"
        raise TidemarkError(what, "restore it with the program that made it")
    wrong = [name for name, file in manifest["files"].items() if _problem(folder / name, file)]
    if wrong:
        named = ", ".join(f"{name} ({_problem(folder / name, manifest['files'][name])})" for name in wrong[:_NAMED])
        raise TidemarkError(f"{folder} is not whole: {len(wrong)} files are wrong: {named}", "use another backup")
    return manifest


def _problem(path: Path, wanted: dict[str, Any]) -> str:
    if not path.is_file():
        return "missing"
    return "" if _file(path).sha256 == wanted["sha256"] else "other bytes"


def _refuse_while_anything_runs(settings: Settings) -> None:
    if Supervisor(settings).is_alive() or left_behind(str(socket_path(settings))):
        raise TidemarkError("services run, and would go on with what is replaced", "make down")
    for lock in sorted(settings.locks.glob("*.owner")):
        if held_since(lock):
            raise TidemarkError(f"stream {lock.stem} runs, by itself", "end its process")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _file(path: Path) -> File:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    status = path.stat()
    return File(digest, status.st_size, status.st_mode & 0o777)


def _write_durably(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
