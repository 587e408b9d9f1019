"""Adopt a topic that was deleted and created again: its offsets mean other records, so it gets a new table."""

from datetime import UTC, datetime
from pathlib import Path

from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.ledger import Ledger
from tidemark.locks import exclusive, owner_lock, write_lock
from tidemark.settings import Settings
from tidemark.topics import Topics


def adopt_topic(settings: Settings, contract: Contract) -> list[str]:
    """Archive a contract's bronze table and checkpoint; the next start makes new ones. Say what was moved.

    Raises:
        LockHeld: the stream runs.
        TidemarkError: the topic is the one that the table holds, or there is nothing to archive.
    """
    table = Path(settings.table("bronze", contract.id))
    with (
        exclusive(owner_lock(settings.locks, contract.bronze_query), f"stream {contract.bronze_query}"),
        exclusive(write_lock(settings.locks, contract.id), f"the write lock of {table}"),
    ):
        newest = Ledger(str(table)).newest_ingest()
        if newest is None or newest.label is None:
            raise TidemarkError(f"{table}: there is no ledger to archive", "nothing is to be done: start the streams")
        if newest.label.topic_id == Topics(settings.bootstrap).identity(contract.topic):
            raise TidemarkError(
                f"topic {contract.topic} is {newest.label.topic_id}, which the table holds: it was not recreated",
                "nothing is to be done: start the streams",
            )
        return _archived(settings, contract, table)


def _archived(settings: Settings, contract: Contract, table: Path) -> list[str]:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    said = []
    for path in (table, settings.checkpoint(contract.bronze_query)):
        if path.exists():
            aside = path.parent / "archive" / f"{path.name}-{stamp}"
            aside.parent.mkdir(exist_ok=True)
            path.rename(aside)
            said.append(f"moved {path} to {aside}")
    return said
