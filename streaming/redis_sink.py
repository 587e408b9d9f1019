"""The third door of side effects beside sources and sinks: a speed table's newest windows, in Redis."""

import logging

import pyarrow as pa

from tidemark.locks import LockHeld
from tidemark.redis_hashes import Hashes, HashLayout, RedisTrouble
from tidemark.settings import Settings

log = logging.getLogger(__name__)


class RedisSink:
    """Keeps a table's hashes: whatever is wrong with Redis, the stream goes on, and Redis catches up from the table."""

    def __init__(self, layout: HashLayout, settings: Settings) -> None:
        self.warning = ""
        self._layout = layout
        self._hashes = Hashes(layout, settings)
        self._is_behind = True  # what the last process could not write is not known

    def write(self, rows: pa.Table) -> None:
        """Write the newest windows of rows that are in the table already; after trouble, those of the whole table."""
        try:
            if self._is_behind or not self._hashes.are_complete():
                self._is_behind = True
                rebuilt = self._hashes.rebuild()
                log.info("%s: Redis has all %d hashes", self._layout.table, rebuilt.hashes)
            else:
                self._is_behind = True  # until they are all there
                self._hashes.write(rows)
        except (RedisTrouble, LockHeld) as trouble:
            if not self.warning:
                log.warning("%s: goes on without Redis: %s", self._layout.table, trouble)
            self.warning = str(trouble)
            return
        self._is_behind, self.warning = False, ""
