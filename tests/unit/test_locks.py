"""Locks between processes: real ones, since a lock of this kind is nothing within one process."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tidemark.locks import LockHeld, exclusive, owner_lock, write_lock

pytestmark = pytest.mark.unit

_HOLD = """
import sys, time
from pathlib import Path
from tidemark.locks import exclusive
with exclusive(Path(sys.argv[1]), "the lock"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def held_elsewhere(path: Path, seconds: float = 60.0) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the lock."""
    command = [sys.executable, "-c", _HOLD, str(path), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield holder
        finally:
            holder.kill()


def test_a_second_process_is_refused_at_once_and_told_who_holds_it(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / "a.lock") as holder:
        began = time.monotonic()
        with pytest.raises(LockHeld) as refused, exclusive(tmp_path / "a.lock", "stream bronze_rides"):
            pytest.fail("the lock was given twice")
    assert time.monotonic() - began < 1.0
    assert refused.value.what == f"stream bronze_rides is held by process {holder.pid}"
    assert str(holder.pid) in refused.value.fix


def test_the_lock_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / "a.lock") as holder:
        holder.kill()  # SIGKILL: nothing of the holder's own runs any more
        holder.wait()
        with exclusive(tmp_path / "a.lock", "the lock"):
            assert (tmp_path / "a.lock").read_text() != str(holder.pid)


def test_waiting_takes_the_lock_when_it_is_let_go(tmp_path: Path) -> None:
    with (
        held_elsewhere(tmp_path / "a.lock", seconds=0.3),
        exclusive(tmp_path / "a.lock", "the lock", wait_seconds=20.0),
        pytest.raises(LockHeld),
        exclusive(tmp_path / "a.lock", "the lock"),
    ):
        pytest.fail("the lock was given twice")


def test_waiting_has_a_limit(tmp_path: Path) -> None:
    began = time.monotonic()
    with (
        held_elsewhere(tmp_path / "a.lock"),
        pytest.raises(LockHeld),
        exclusive(tmp_path / "a.lock", "the lock", wait_seconds=0.3),
    ):
        pytest.fail("the lock was given twice")
    assert 0.3 <= time.monotonic() - began < 10.0


def test_the_lock_is_free_when_its_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "a.lock", "the lock"):
        raise ZeroDivisionError
    with exclusive(tmp_path / "a.lock", "the lock"):
        pass


def test_a_shorter_process_id_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "a.lock").write_text("9" * 30)
    with exclusive(tmp_path / "a.lock", "the lock"):
        assert int((tmp_path / "a.lock").read_text()) < 10**9


def test_different_locks_do_not_meet(tmp_path: Path) -> None:
    paths = {write_lock(tmp_path, "rides"), write_lock(tmp_path, "sales"), owner_lock(tmp_path, "rides")}
    assert len(paths) == 3
    with held_elsewhere(write_lock(tmp_path, "rides")), exclusive(owner_lock(tmp_path, "rides"), "the owner's lock"):
        assert owner_lock(tmp_path, "rides").exists()
