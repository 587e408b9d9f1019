"""Redis hashes of a speed table: the newest window of each key, by absolute values, and never older than it was.

The Delta table is written first and has it all; Redis may lose everything. A marker says that nothing is missing: where
it is gone, Redis was flushed or restarted, and all hashes are made again from the table.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from tidemark.errors import TidemarkError
from tidemark.locks import exclusive
from tidemark.settings import Settings, without_password

_SECONDS = 2.0  # that Redis may take to answer
_LOCK_SECONDS = 60.0
_AT_ONCE = 1_000  # hashes in one round trip
_FOLD = 200_000  # rows of the table that are held at least before older windows are let go

_COMPLETE = "complete"
_REBUILDING = "rebuilding"

# Ends are compared as numbers of their digits: 2026-01-31T23:55:00Z is 20260131235500. HSET comes first: after another
# write a full server would let it pass.
_WRITE_UNLESS_OLDER = """
local function number(text) return tonumber((text:gsub('%D', ''))) or 0 end
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and number(held) > number(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
"""


class RedisTrouble(TidemarkError):
    """Redis doesn't take what it should hold: it is away, full or refuses."""


@dataclass(frozen=True)
class HashLayout:
    """How a speed table's newest windows stand in Redis: `<prefix>:<key>`, with the window's end and some fields."""

    table: str
    prefix: str
    key: str
    window_end: str
    fields: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that Redis needs."""
        return (self.key, self.window_end, *self.fields)

    @property
    def marker(self) -> str:
        """The key that says whether nothing is missing."""
        return f"tidemark:{self.table}"


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild has written."""

    table: str
    prefix: str
    hashes: int
    newest: str  # the end of the newest window; empty: there is none


PRODUCT_SALES = HashLayout(
    table="product_sales",
    prefix="product",
    key="product_id",
    window_end="window_end",
    fields=("quantity", "revenue", "unique_customers"),
)

LAYOUTS = (PRODUCT_SALES,)


class Hashes:
    """The hashes of one table."""

    def __init__(self, layout: HashLayout, settings: Settings) -> None:
        self._layout = layout
        self._table = settings.table("speed", layout.table)
        self._address = settings.redis_address
        self._lock = settings.locks / f"{layout.table}.redis"
        # One more try, at once: a connection from before Redis was restarted is found out by using it.
        self._redis = Redis.from_url(
            self._address,
            decode_responses=True,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        self._write_unless_older = self._redis.register_script(_WRITE_UNLESS_OLDER)

    def are_complete(self) -> bool:
        """Tell whether Redis still has what was written.

        Raises:
            RedisTrouble: nobody says.
        """
        with self._spoken_to():
            return bool(self._redis.get(self._layout.marker) == _COMPLETE)

    def write(self, windows: pa.Table) -> None:
        """Write the newest window of each key, unless Redis has a newer one.

        Raises:
            RedisTrouble: Redis didn't take them all.
            LockHeld: a rebuild goes on.
        """
        with self._alone(), self._spoken_to():
            for some in self._hashes(newest_of(windows, self._layout)):
                pipeline = self._redis.pipeline(transaction=False)
                for name, values in some.items():
                    flat = [text for pair in values.items() for text in pair]
                    self._write_unless_older([name], flat, client=pipeline)
                pipeline.execute()

    def rebuild(self) -> Rebuilt:
        """Write every hash anew from the Delta table, whatever Redis has.

        Raises:
            RedisTrouble: Redis didn't take them all.
            LockHeld: another rebuild goes on.
        """
        # The table is read under the lock: whoever writes newer rows to it waits, and writes them to Redis after this.
        with self._alone():
            with self._spoken_to():  # before the table is read: a full server says so at once
                self._redis.set(self._layout.marker, _REBUILDING)
            windows = newest_windows(self._table, self._layout)
            with self._spoken_to():
                for some in self._hashes(windows):
                    self._replace(some)
                self._redis.set(self._layout.marker, _COMPLETE)
        newest = pc.max(windows[self._layout.window_end]).as_py()
        return Rebuilt(self._layout.table, self._layout.prefix, len(windows), _text(newest))

    def _replace(self, hashes: Mapping[str, dict[str, str]]) -> None:
        """Replace hashes in one step: nobody sees one that is gone, and what a full server refuses is kept."""
        pipeline = self._redis.pipeline(transaction=True)
        for name, values in hashes.items():
            pipeline.delete(name)
            pipeline.hset(name, mapping=values)
        pipeline.execute()

    def _hashes(self, windows: pa.Table) -> Iterator[dict[str, dict[str, str]]]:
        """Give each hash by its name, as many at a time as go in one round trip."""
        layout = self._layout
        texts = (layout.window_end, *layout.fields)
        for batch in windows.combine_chunks().to_batches(_AT_ONCE):
            rows = batch.to_pylist()
            yield {f"{layout.prefix}:{row[layout.key]}": {name: _text(row[name]) for name in texts} for row in rows}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with exclusive(self._lock, f"the Redis lock of {self._layout.table}", _LOCK_SECONDS):
            yield

    @contextmanager
    def _spoken_to(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            fix = "`tidemark up redis`; a full one needs more TIDEMARK_REDIS_MEMORY"
            raise RedisTrouble(f"Redis at {without_password(self._address)}: {error}", fix) from error


def rebuild_by_hand(settings: Settings, layout: HashLayout) -> Rebuilt:
    """Write every hash of a table anew.

    Raises:
        TidemarkError: there is no table yet.
        RedisTrouble: Redis didn't take them all.
    """
    try:
        return Hashes(layout, settings).rebuild()
    except TableNotFoundError:
        path = settings.table("speed", layout.table)
        raise TidemarkError(f"{path}: there is no table yet", "`make stream-up` creates it") from None


def newest_windows(path: str, layout: HashLayout) -> pa.Table:
    """Read the newest window of each key; memory grows with the keys, not with the table."""
    batches = DeltaTable(path).to_pyarrow_dataset().scanner(columns=list(layout.columns)).to_reader()
    newest = batches.schema.empty_table()
    held = [newest]
    for batch in batches:
        held.append(pa.Table.from_batches([batch]))
        if sum(map(len, held)) > max(_FOLD, 2 * len(newest)):
            newest = newest_of(pa.concat_tables(held), layout)
            held = [newest]
    return newest_of(pa.concat_tables(held), layout)


def newest_of(windows: pa.Table, layout: HashLayout) -> pa.Table:
    """Keep the newest window of each key."""
    in_order = windows.select(list(layout.columns)).sort_by([(layout.window_end, "descending")])
    numbered = in_order.append_column("row", pa.array(np.arange(len(in_order))))
    return in_order.take(numbered.group_by(layout.key).aggregate([("row", "min")])["row_min"])


def _text(value: Any) -> str:
    """Write a value as Redis holds it: times in UTC to the second, doubles as short decimals as are exact."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    return str(value)
