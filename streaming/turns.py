"""Turns of the streams of one driver: as many micro-batches at a time as there are processors.

All streams begin whenever they may, so under load, and above all after a start, every one of them would work at once:
none gets on, the machine has no time for anybody else, and Java none to compile what they all run.
"""

import threading
from collections.abc import Callable

from pyspark.sql import DataFrame

from streaming.pace import processors

Write = Callable[[DataFrame, int], None]


class Turns:
    """Lets few micro-batches work at a time.

    Args:
        most: how many.
        longest_wait: seconds; one that is stuck in its turn delays the others by so much, and stops none.
    """

    def __init__(self, most: int, longest_wait: float = 30.0) -> None:
        self._free = threading.Semaphore(most)
        self._longest_wait = longest_wait

    def of(self, write: Write) -> Write:
        """Give a micro-batch's work that waits for its turn first."""

        def written(rows: DataFrame, batch: int) -> None:
            has_turn = self._free.acquire(timeout=self._longest_wait)
            try:
                write(rows, batch)
            finally:
                if has_turn:
                    self._free.release()

        return written


in_turn = Turns(processors()).of
