"""Leases: one job at a time changes a day of a table, wherever the jobs run, and one that lost its lease can't.

A lease is a file in the lake, so all who share the lake share it. It ends when its holder lets it go, when the
holder's process is gone, or when nobody has renewed it for a while. Each holder has a token higher than the one before,
and each write carries it as Delta's transaction id (`txnAppId` = the lease, `txnVersion` = token and step): Delta
leaves out what an older holder writes, however late it comes. Kleppmann, "How to do distributed locking".
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import psutil
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from tidemark.errors import TidemarkError
from tidemark.locks import exclusive
from tidemark.private_files import write_private

EXPIRES_SECONDS = 60.0

_STEPS = 1_000_000  # writes that one holder can make
_WAIT_SECONDS = 300.0
_PAUSE = 0.2
_GUARD_SECONDS = 10.0  # the guard is held for one read and one write of a small file


class LeaseHeld(TidemarkError):
    """Another job works on the same day of the same table."""

    exit_code = 2


class LeaseLost(TidemarkError):
    """This job's lease ran out, and another job has taken it."""

    exit_code = 2


@dataclass(frozen=True)
class Fence:
    """What one write carries, as Delta's idempotent writes want it."""

    app_id: str
    version: int


@dataclass(frozen=True)
class _Entry:
    """The file: who holds the lease, with which token, until when. `host` is empty: nobody does."""

    token: int = 0
    host: str = ""
    pid: int = 0
    began: float = 0.0  # when the process began: its number may be given again
    what: str = ""
    expires: float = 0.0  # seconds since the epoch

    @property
    def is_held(self) -> bool:
        """Tell whether the holder may still be at work."""
        return bool(self.host) and self.expires > time.time() and not self._is_gone

    @property
    def _is_gone(self) -> bool:
        return self.host == socket.gethostname() and _began(self.pid) != self.began


class Lease:
    """A lease that this process holds."""

    def __init__(self, path: Path, token: int, what: str) -> None:
        self.app_id = f"lease:{path.parent.name}:{path.stem}"
        self.run = str(uuid.uuid4())
        self._path, self._token, self._what = path, token, what
        self._steps = 0

    def fence(self) -> Fence:
        """Give what the next write carries.

        Raises:
            LeaseLost: another job has the lease.
        """
        self.renew()
        self._steps += 1
        return Fence(self.app_id, self._token * _STEPS + self._steps)

    def renew(self) -> None:
        """Put off the end of the lease.

        Raises:
            LeaseLost: another job has the lease.
        """
        with _guard(self._path):
            self._is_ours_or_raise()
            _write(self._path, _ours(self._token, self._what))

    def let_go(self) -> None:
        """End the lease, unless another job has it."""
        with _guard(self._path):
            if _read(self._path).token == self._token:
                _write(self._path, _Entry(self._token))

    def lost(self) -> LeaseLost:
        """Give the error of a write that Delta left out."""
        held = _read(self._path)
        fix = "run the job again: what it has written stands, and it goes on from there"
        return LeaseLost(f"{self.app_id} was taken over by {held.what or 'another job'} (process {held.pid})", fix)

    def _is_ours_or_raise(self) -> None:
        if _read(self._path).token != self._token:
            raise self.lost()


@contextmanager
def leased(
    leases: Path, table: str, path: str, day: date, what: str, wait_seconds: float = _WAIT_SECONDS
) -> Iterator[Lease]:
    """Hold the lease of a day of a table while the block runs, and keep renewing it.

    Args:
        leases: the folder of all leases.
        table: its name, as messages and Delta's log have it: `bronze.ride_events`.
        path: where the table is.
        what: the job, as messages name it.

    Raises:
        LeaseHeld: another job still has it when the time is up.
    """
    lease = _taken(leases / table / f"{day.isoformat()}.json", what, path, time.monotonic() + wait_seconds)
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(lease, done), daemon=True, name=lease.app_id)
    keeper.start()
    try:
        yield lease
    finally:
        done.set()
        keeper.join()
        lease.let_go()


def held_leases(leases: Path) -> list[str]:
    """Tell which leases are held, and by whom."""
    held = [(path, _read(path)) for path in sorted(leases.glob("*/*.json"))]
    return [
        f"{path.parent.name} {path.stem}: {each.what} (process {each.pid} on {each.host})"
        for path, each in held
        if each.is_held
    ]


def _taken(path: Path, what: str, table: str, deadline: float) -> Lease:
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with _guard(path):
            last = _read(path)
            if not last.is_held:
                _write(path, _ours(last.token + 1, what))
                break
        if time.monotonic() >= deadline:
            who = f"{last.what} (process {last.pid} on {last.host})"
            fix = "wait until it has ended, or end it; then run this again"
            raise LeaseHeld(f"{path.parent.name} {path.stem}: {who} is at work on it", fix)
        time.sleep(_PAUSE)  # no event of another machine reaches us
    lease = Lease(path, last.token + 1, what)
    if last.host:
        _record(table, lease.fence())
    return lease


def _record(table: str, fence: Fence) -> None:
    """Write a token that was taken from a holder who did not let go, before anything is read under it.

    What that holder still writes is either in the table now, or Delta refuses it.
    """
    current = DeltaTable(table)
    nothing = pa.Table.from_pylist([], schema=pa.schema(current.schema().to_arrow()))
    transaction = Transaction(fence.app_id, fence.version)
    write_deltalake(current, nothing, mode="append", commit_properties=CommitProperties(app_transactions=[transaction]))


def _keep(lease: Lease, done: threading.Event) -> None:
    while not done.wait(EXPIRES_SECONDS / 3):
        try:
            lease.renew()
        except TidemarkError:  # the next write finds out
            return


def _ours(token: int, what: str) -> _Entry:
    pid = os.getpid()
    return _Entry(token, socket.gethostname(), pid, _began(pid), what, time.time() + EXPIRES_SECONDS)


def _began(pid: int) -> float:
    """Give when a process of this machine began; 0: there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def _guard(path: Path) -> AbstractContextManager[None]:
    return exclusive(path.parent / ".guard", f"the guard of {path.parent}", _GUARD_SECONDS)


def _read(path: Path) -> _Entry:
    try:
        return _Entry(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return _Entry()


def _write(path: Path, entry: _Entry) -> None:
    write_private(path, json.dumps(asdict(entry)))
