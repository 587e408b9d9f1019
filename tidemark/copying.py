"""Copies of what programs are writing, each of one moment: how depends on who writes, and in which order."""

import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tidemark.errors import TidemarkError

_TRIES = 20
_STILL_SECONDS = 0.2  # a file that changed later than this may change again within the clock's precision
_PAUSE = 0.3
_OF_A_PROCESS = ("db.lck", "dbex.lck", "tmp")  # Derby's: they say which process has it open
_NUMBERED = re.compile(r"\.?(\d+)(\.crc)?")

Stamps = dict[str, tuple[int, int]]  # path: when it was changed, its size


def copy_checkpoint(source: Path, target: Path) -> None:
    """Copy a stream's checkpoint while the stream runs, so that it goes on from the copy as after a crash.

    Spark writes of each micro-batch first its offsets, then its state, then that it was committed. So what is
    committed is copied first, and of the offsets only one batch more: a batch that was planned is repeated, and one
    beyond it would be left out.
    """
    last = max((_number(path.name) for path in (source / "commits").glob("[0-9]*")), default=-1)
    _copy_all(source, target, [path for path in _files(source / "commits") if _number(path.name) <= last])
    others = [path for path in _files(source) if path.relative_to(source).parts[0] not in ("commits", "offsets")]
    _copy_all(source, target, others)
    _copy_all(source, target, [path for path in _files(source / "offsets") if _number(path.name) <= last + 1])


def copy_still(source: Path, target: Path) -> None:
    """Copy a file or folder as it is while nobody writes to it: whole, as after a crash of the program that has it.

    Raises:
        TidemarkError: there was no such moment.
    """
    for _ in range(_TRIES):
        before = _stamps(source)
        newest = max((changed for changed, _ in before.values()), default=0)
        if time.time_ns() - newest > _STILL_SECONDS * 10**9:
            _remove(target)
            if _copied(source, target) and _stamps(source) == before:
                return
        time.sleep(_PAUSE)  # a file system tells nobody that a program has stopped writing
    raise TidemarkError(f"{source} changes all the time: no copy of one moment was had", "stop what writes it, or wait")


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite database by its own online backup."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(0o600)
    read_only = f"{source.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(read_only, uri=True)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def _copied(source: Path, target: Path) -> bool:
    """Copy what there is; False: something went away meanwhile."""
    try:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_OF_A_PROCESS))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    except (FileNotFoundError, shutil.Error):
        return False
    return True


def _copy_all(source: Path, target: Path, files: list[Path]) -> None:
    for file in files:
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(file, place)
        except FileNotFoundError:  # Spark has let an old one go
            continue


def _files(folder: Path) -> Iterator[Path]:
    """Give a folder's files; not those that Spark has not finished."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(".tmp"))


def _number(name: str) -> int:
    """Give the micro-batch of a file of `commits` or `offsets`, or of its checksum."""
    found = _NUMBERED.fullmatch(name)
    return int(found[1]) if found else 0


def _stamps(source: Path) -> Stamps:
    files = [path for path in source.rglob("*") if path.name not in _OF_A_PROCESS] if source.is_dir() else [source]
    found: Stamps = {}
    for path in files:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found[str(path)] = (status.st_mtime_ns, status.st_size)
    return found


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
