"""What Spark says of each micro-batch, as metrics.

The host's thread asks for it. Spark's own StreamingQueryListener would tell it, at a hundredfold cost and on one thread
for all queries (ADR 13).
"""

import ast
import logging
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from threading import Lock
from typing import Any

from pyspark.sql.streaming import StreamingQuery

from streaming import metrics
from tidemark.status import DROPPED_LATE

log = logging.getLogger(__name__)

Progress = Mapping[str, Any]

_WHOLE = "triggerExecution"  # all other phases are parts of it
_RUN = "addBatch"
_IN_FILES = "rocksdbSstFileSize"


class Listener:
    """Follows a stream's queries; each must be asked before Spark forgets its oldest of ten micro-batches."""

    def __init__(self, stream: str) -> None:
        self.late_rows = 0
        self._stream = stream
        self._newest = ""  # when the newest micro-batch that is counted began
        self._lock = Lock()
        metrics.begin_stream(stream)

    def take(self, query: StreamingQuery) -> None:
        """Count what is new; that it can't be counted is no reason to end the stream."""
        with self._lock:
            for progress in self._new(query):
                self._newest = progress["timestamp"]
                try:
                    if _RUN in progress["durationMs"]:  # else it was a look that found nothing to do
                        self._count(progress)
                    self._show(progress)
                except (KeyError, SyntaxError, TypeError, ValueError) as error:  # it is not as Spark told it before
                    log.warning("%s: batch %s is not counted: %r", self._stream, progress["batchId"], error)
            if query.isActive and not query.status["isTriggerActive"]:  # it has looked, and waits to look again
                metrics.LAST_PROGRESS.labels(self._stream).set(time.time())

    def _new(self, query: StreamingQuery) -> Iterator[Progress]:
        last = query.lastProgress
        if last is not None and last["timestamp"] > self._newest:
            yield from (each for each in query.recentProgress if each["timestamp"] > self._newest)

    def _count(self, progress: Progress) -> None:
        rows = rows_read(progress)
        if rows:
            metrics.BATCHES.labels(self._stream).inc()
            metrics.INPUT_ROWS.labels(self._stream).inc(rows)
        metrics.BATCH_SECONDS.labels(self._stream).observe(_seconds(progress))
        late = sum(operator[DROPPED_LATE] for operator in progress["stateOperators"])
        self.late_rows += late
        metrics.LATE_ROWS.labels(self._stream).inc(late)

    def _show(self, progress: Progress) -> None:
        stream = self._stream
        metrics.INPUT_RATE.labels(stream).set(rate(progress, "inputRowsPerSecond"))
        metrics.PROCESSED_RATE.labels(stream).set(rate(progress, "processedRowsPerSecond"))
        metrics.LAST_PROGRESS.labels(stream).set(_instant(progress["timestamp"]) + _seconds(progress))
        for phase, milliseconds in progress["durationMs"].items():
            if phase != _WHOLE:
                metrics.PHASE_SECONDS.labels(stream, phase).set(milliseconds / 1000)
        watermark = _instant(progress["eventTime"].get("watermark", ""))
        if watermark > 0:  # the first one is the epoch, and means none
            metrics.WATERMARK.labels(stream).set(watermark)
        operators = progress["stateOperators"]
        if operators:
            metrics.STATE_ROWS.labels(stream).set(sum(each["numRowsTotal"] for each in operators))
            metrics.STATE_BYTES.labels(stream).set(sum(map(_bytes, operators)))


def rows_read(progress: Progress) -> int:
    """Count the records that a micro-batch took: Spark's own number has a record once for each action on it."""
    return sum(map(_rows_of, progress["sources"]))


def rate(progress: Progress, name: str) -> float:
    """Give one of Spark's rates, as it is for records that count once."""
    told = int(progress["numInputRows"])
    return float(progress[name] or 0.0) * rows_read(progress) / told if told else 0.0


def _rows_of(source: Mapping[str, Any]) -> int:
    start, end = (ast.literal_eval(source[name]) for name in ("startOffset", "endOffset"))
    if not start or not end:  # of a query's very first micro-batch nobody says where it began
        return int(source["numInputRows"])
    return sum(
        offset - start.get(topic, {}).get(partition, 0)
        for topic, partitions in end.items()
        for partition, offset in partitions.items()
    )


def _bytes(operator: Mapping[str, Any]) -> int:
    return int(operator["memoryUsedBytes"]) + int(operator["customMetrics"].get(_IN_FILES, 0))


def _seconds(progress: Progress) -> float:
    return float(progress["durationMs"].get(_WHOLE, 0)) / 1000


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0
