"""Old files of a table's log, which nobody needs any more, and which of them upkeep may remove."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tidemark.ledger import Ledger
from tidemark.ledger_copy import committed_at, copied_versions
from tidemark.settings import Settings

_VERSION = re.compile(r"(\d{20})\.")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")


def clean_log(settings: Settings, contract: str, before: datetime) -> int:
    """Remove the log files below the version that `kept_from` gives; count them.

    The oldest go first: what is left is a log without a gap, wherever it is interrupted.
    """
    kept = kept_from(settings, contract, before)
    log = _log(settings, contract)
    files = sorted(path for path in log.iterdir() if (found := _VERSION.match(path.name)) and int(found[1]) < kept)
    for path in files:
        path.unlink()
    return len(files)


def kept_from(settings: Settings, contract: str, before: datetime) -> int:
    """Give the version from which on the log is kept.

    It is the newest that has a checkpoint, was committed before a time, and is no newer than the newest ingest: the
    streams look for that one in the log. Every version below it was copied; else nothing is removed, and it is 0.
    """
    ledger = Ledger(settings.table("bronze", contract))
    newest = ledger.newest_ingest()
    first = ledger.first_version()
    for version in sorted(_checkpoints(_log(settings, contract)), reverse=True):
        at = committed_at(settings, contract, version)
        if newest and version <= newest.version and at and at < before:
            copied = set(copied_versions(settings, contract, first).to_pylist())
            return version if copied.issuperset(range(first, version)) else 0
    return 0


def _checkpoints(log: Path) -> Iterator[int]:
    for path in log.iterdir():
        found = _CHECKPOINT.fullmatch(path.name)
        if found and _is_whole(path):
            yield int(found[1])


def _is_whole(path: Path) -> bool:
    try:
        return bool(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException):
        return False


def _log(settings: Settings, contract: str) -> Path:
    return Path(settings.table("bronze", contract)) / "_delta_log"
