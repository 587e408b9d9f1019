"""Read what a contestant left: its files, and how late each record was committed."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def files_of(table: Path) -> int:
    """Count the data files."""
    return sum(1 for _ in table.rglob("*.parquet") if "_delta_log" not in _.parts)


def latencies(table: Path, skip_seconds: int) -> np.ndarray:
    """Give the seconds from each good record's event time to the commit that holds it.

    Args:
        skip_seconds: records made in this time after the first are left out.
    """
    made, late = [], []
    for committed_at, path in commits(table):
        times = pq.read_table(path, columns=["event_time"]).column("event_time").drop_null()
        seconds = times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy() / 1e6
        made.append(seconds)
        late.append(committed_at - seconds)
    all_made, all_late = np.concatenate(made), np.concatenate(late)
    return all_late[all_made > all_made.min() + skip_seconds]


def commits(table: Path) -> Iterator[tuple[float, Path]]:
    """Give each data file with the time at which its commit could be seen."""
    for log in sorted((table / "_delta_log").glob("[0-9]*.json")):
        for line in log.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                yield log.stat().st_mtime, table / unquote(action["add"]["path"])
