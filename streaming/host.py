"""Keep streams running: one thread each, restarted with a growing pause, stopped for good by a breach of the rules."""

import logging
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from streaming.failures import in_short
from streaming.listener import Listener
from streaming.rules import RuleBreach

log = logging.getLogger(__name__)

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_LOOK_SECONDS = 2  # Spark remembers ten micro-batches
_END_SECONDS = 5.0  # for which a thread may outlive its query
_HEALTHY_SECONDS = 60.0  # a query that ran this long starts again with the first pause


class Stream(Protocol):
    """What the host needs of a stream."""

    name: str
    breach: RuleBreach | None
    trigger_seconds: float  # least time from one micro-batch to the next

    @property
    def warning(self) -> str:
        """Say what the stream goes on without; empty: nothing."""

    def start(self, spark: SparkSession) -> StreamingQuery:
        """Start the query."""

    def failed(self, spark: SparkSession, error: Exception) -> bool:
        """Learn from a failure before the next start; tell whether that start has what this one failed for."""


@dataclass
class StreamState:
    """What is known of a stream, for health and status."""

    stream: Stream
    state: str = "starting"  # starting, running, waiting, refused, stopped
    restarts: int = 0  # after a failure
    last_error: str = ""
    failed_at: datetime | None = None
    failures: int = 0
    query: StreamingQuery | None = None
    listener: Listener = field(init=False)

    def __post_init__(self) -> None:
        self.listener = Listener(self.name)

    @property
    def name(self) -> str:
        """The stream's name."""
        return self.stream.name


class StreamHost:
    """Runs one stream in its own thread and scheduler pool."""

    def __init__(
        self, stream: Stream, spark: SparkSession, owned: ExitStack, first_pause: float = _FIRST_PAUSE
    ) -> None:
        """Take a stream and the lock that makes this its one live instance; a refused stream gives the lock back."""
        self._first_pause = first_pause
        self.state = StreamState(stream)
        self._owned = owned
        self._stream = stream
        self._spark = spark
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=stream.name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Tell whether the thread still runs."""
        return self._thread.is_alive()

    @property
    def has_begun(self) -> bool:
        """Tell whether the first micro-batch is done, or there is none to wait for."""
        query = self.state.query
        if self.state.state != "running" or query is None:
            return self.state.state != "starting"
        return query.lastProgress is not None or str(query.status["message"]).startswith("Waiting")

    def stop(self) -> None:
        """Let the running micro-batch finish, then stop the query."""
        self._stopping.set()
        query = self.state.query
        if query is not None:
            _await_batch(query)
            _stop(query)
        if self._thread.ident is not None:  # it was started
            self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        pause = self._first_pause
        while not self._stopping.is_set():
            began = time.monotonic()
            self._run_once()
            if self.state.state in ("refused", "stopped"):
                return
            was_healthy = time.monotonic() - began > _HEALTHY_SECONDS
            pause = self._first_pause if was_healthy else min(pause * 2, _LONGEST_PAUSE)
            self._stopping.wait(pause)

    def _run_once(self) -> None:
        state = self.state
        try:
            # Each query has a pool of its own, so that none waits in line behind another's jobs.
            self._spark.sparkContext.setLocalProperty("spark.scheduler.pool", state.name)
            state.query = self._stream.start(self._spark)
            state.state = "running"
            _await_end(state.query, state.listener)
            state.state = "stopped"
        except RuleBreach as breach:
            self._refused(breach)
        except Exception as error:
            if self._stream.breach is not None:
                self._refused(self._stream.breach)
            elif self._stopping.is_set():
                state.state = "stopped"
            else:
                state.state = "waiting"
                self._waiting(error)

    def _waiting(self, error: Exception) -> None:
        """Let the stream learn from its failure; where the next start has what this one lacked, it counts as none."""
        try:
            if self._stream.failed(self._spark, error):
                log.info("%s: starts again, with what it has learned", self.state.name)
                return
        except Exception as reason:
            error = reason  # what stands in the way of the next start
        self._failed(in_short(error))
        self.state.restarts += 1
        log.warning("%s: failed, starts again: %s", self.state.name, self.state.last_error)

    def _refused(self, breach: RuleBreach) -> None:
        self.state.state = "refused"
        self._failed(str(breach))
        log.error("%s: stopped: %s", self.state.name, breach)
        self._owned.close()

    def _failed(self, what: str) -> None:
        self.state.failures += 1
        self.state.last_error = what
        self.state.failed_at = datetime.now(UTC)


def _await_end(query: StreamingQuery, listener: Listener) -> None:
    """Wait until the query ends, and count on the way what it does."""
    try:
        while not query.awaitTermination(_LOOK_SECONDS):
            listener.take(query)
    finally:
        listener.take(query)


def _await_batch(query: StreamingQuery) -> None:
    """Wait until the running micro-batch has finished, for half a minute at most."""
    deadline = time.monotonic() + 30
    running = _finished_batch(query)
    while query.isActive and query.status["isTriggerActive"] and time.monotonic() < deadline:
        if _finished_batch(query) != running:
            return
        time.sleep(0.02)  # Spark has no event for the end of a batch that can be awaited from here


def _stop(query: StreamingQuery) -> None:
    """Stop a query; one that does not stop in Spark's time limit ends with its driver."""
    try:
        query.stop()
    except Exception as error:
        log.warning("%s: did not stop: %s", query.name, in_short(error))


def _finished_batch(query: StreamingQuery) -> int:
    progress = query.lastProgress
    return -1 if progress is None else int(progress["batchId"])
