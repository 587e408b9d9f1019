"""What a stream dropped as late: Spark says it of each micro-batch, and forgets."""

from threading import Lock

from pyspark.sql.streaming import StreamingQuery

from tidemark.status import DROPPED_LATE


class LateRows:
    """Sums them up over a stream's queries; each must be asked before Spark forgets its oldest of ten micro-batches."""

    def __init__(self) -> None:
        self.count = 0
        self._newest = ""  # when the newest micro-batch that is counted began
        self._lock = Lock()

    def take(self, query: StreamingQuery) -> None:
        """Add what is new."""
        last = query.lastProgress
        if last is None or not last["stateOperators"]:
            return
        with self._lock:
            for progress in query.recentProgress:
                if progress["timestamp"] > self._newest:
                    self._newest = progress["timestamp"]
                    self.count += sum(operator[DROPPED_LATE] for operator in progress["stateOperators"])
