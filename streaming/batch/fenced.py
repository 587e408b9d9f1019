"""All writes of batch jobs to bronze: each under a lease, labelled, and read back from the log.

Delta leaves out, without a word, what a job writes that lost its lease. So after each write the log must have its
label.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from streaming import sinks
from tidemark import bronze
from tidemark.contracts import Contract
from tidemark.leases import Fence, Lease
from tidemark.ledger import Label, Ledger
from tidemark.locks import exclusive, write_lock
from tidemark.names import quoted
from tidemark.settings import Settings

_STREAM_WAITS_SECONDS = 60.0
_TRIES = 6
_LONGEST_PAUSE = 4.0  # seconds
_CONCURRENT = "DELTA_CONCURRENT"
_TAKEN_OVER = "DELTA_CONCURRENT_TRANSACTION"


class FencedTable:
    """A contract's bronze table, as far as the lease of one of its days lets a job write to it."""

    def __init__(self, settings: Settings, contract: Contract, lease: Lease) -> None:
        self.path = settings.table("bronze", contract.id)
        self._locks, self._contract, self._lease = settings.locks, contract.id, lease

    def append(self, rows: DataFrame, label: Label) -> None:
        """Append rows in one commit; no other writer disturbs it.

        Raises:
            LeaseLost: another job has the lease; nothing was written.
        """
        self._write(label, lambda fence: sinks.append(rows, self.path, label, fence))

    def replace(self, rows: DataFrame, where: str, days: Sequence[date], label: Label) -> None:
        """Put rows in the place of those that match, in one commit.

        Args:
            days: the partitions that it touches; if today's is one of them, the stream waits meanwhile.

        Raises:
            LeaseLost: another job has the lease; nothing was written.
            LockHeld: the stream, or another job, does not let today's partition go.
        """
        with self._stream_waits(days):
            self._write(label, lambda fence: sinks.replace(rows, self.path, where, label, fence))

    def update(self, rows: DataFrame, day: date, label: Label) -> None:
        """Give the rows of some positions of a day the columns of other rows with the same positions, in one commit.

        Raises:
            LeaseLost: another job has the lease; nothing was written.
            LockHeld: the stream, or another job, does not let today's partition go.
        """
        where = f"target.{quoted(bronze.INGEST_DATE)} = DATE'{day.isoformat()}'"
        on = " AND ".join([where, *(f"target.{quoted(name)} = source.{quoted(name)}" for name in bronze.POSITION)])
        with self._stream_waits([day]):
            self._write(label, lambda fence: sinks.update(rows, self.path, on, label, fence))

    def _write(self, label: Label, write: Callable[[Fence], None]) -> None:
        before = Ledger(self.path).latest_version()
        for left in reversed(range(_TRIES)):
            try:
                write(self._lease.fence())
                break
            except (PySparkException, Py4JJavaError) as error:
                if _TAKEN_OVER in str(error):
                    raise self._lease.lost() from error
                if not left or _CONCURRENT not in str(error):
                    raise
                time.sleep(random.uniform(0, _LONGEST_PAUSE))  # noqa: S311 (two that met would meet again)
        if not any(commit.label == label for commit in Ledger(self.path).commits(before + 1)):
            raise self._lease.lost()

    @contextmanager
    def _stream_waits(self, days: Sequence[date]) -> Iterator[None]:
        """Let the stream wait between two batches while today's rows are rewritten: beside it, no rewrite ever wins."""
        with ExitStack() as held:
            if max(days) >= datetime.now(UTC).date():
                lock = write_lock(self._locks, self._contract)
                held.enter_context(exclusive(lock, f"the write lock of {self.path}", _STREAM_WAITS_SECONDS))
            yield
