"""The fence: while a driver lives that may still commit to a table, no other one begins to.

The owner's lock is freed when the Python process dies. Its JVM may outlive it, with a commit under way. So the JVM
itself holds a lock too: the kernel frees it when that process is gone, however it ends.
"""

import time
from pathlib import Path
from typing import cast

from py4j.java_gateway import JavaObject, JVMView
from pyspark.sql import SparkSession

from tidemark.locks import LockHeld

_WAIT_SECONDS = 30.0

_held: dict[str, JavaObject] = {}  # the JVM gives a lock up with the last reference to it


def fence(spark: SparkSession, path: Path, what: str, wait_seconds: float = _WAIT_SECONDS) -> None:
    """Hold a lock by this driver's JVM until that process ends; a driver that holds it already goes on.

    Args:
        what: what may be written under the lock, as the message names it.

    Raises:
        LockHeld: another driver still lives when the time is up.
    """
    if str(path) in _held:
        return  # a second look at the file would free the lock when it is closed: so says POSIX
    path.parent.mkdir(parents=True, exist_ok=True)
    jvm = cast(JVMView, spark._jvm)
    channel = jvm.java.io.RandomAccessFile(str(path), "rw").getChannel()
    deadline = time.monotonic() + wait_seconds
    while (lock := channel.tryLock()) is None:
        if time.monotonic() >= deadline:
            channel.close()
            holder = path.read_text() or "unknown"
            fix = f"wait until process {holder} has ended, or end it"
            raise LockHeld(f"{what} may still be written by the Spark driver {holder}, whose stream is gone", fix)
        time.sleep(0.1)  # the kernel tells nobody that a lock was freed
    _held[str(path)] = lock
    path.write_text(str(jvm.java.lang.ProcessHandle.current().pid()))
