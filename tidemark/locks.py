"""Locks between processes of one machine: the kernel frees them when their holder dies, however it dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tidemark.errors import TidemarkError


class LockHeld(TidemarkError):
    """Somebody else holds the lock."""

    exit_code = 2


@contextmanager
def exclusive(path: Path, what: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        what: what the lock stands for, as the message names it.
        wait_seconds: how long to wait for another holder; 0: not at all.

    Raises:
        LockHeld: another process holds it; the message gives its process id.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(descriptor, what, wait_seconds)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)  # which also unlocks


def held_since(path: Path) -> datetime | None:
    """Tell since when somebody holds a lock; None: nobody does."""
    try:
        with path.open("rb") as file:
            began = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)  # its holder wrote itself down then
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return began
    return None


def _acquire(descriptor: int, what: str, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 32, 0).decode() or "unknown"
                fix = f"wait for process {holder} or end it, then try again"
                raise LockHeld(f"{what} is held by process {holder}", fix) from None
        time.sleep(0.05)  # flock has no wait with a limit


def write_lock(locks: Path, table: str) -> Path:
    """Give the lock that a stream takes for each commit, and a job while it rewrites what the stream is writing."""
    return locks / f"{table}.write"


def owner_lock(locks: Path, query: str) -> Path:
    """Give the lock that the one live instance of a query holds."""
    return locks / f"{query}.owner"


def driver_lock(locks: Path, query: str) -> Path:
    """Give the lock that the Spark driver of a query holds: it may outlive the instance that started it."""
    return locks / f"{query}.driver"
