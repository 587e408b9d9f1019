"""Vacuum a bronze table: `python -m streaming.batch.vacuum <contract> [--dry-run] [--json]`

Removes files that left the table seven days ago or longer, and what writes that failed have left. The files of the
version that silver reads stay, whatever its age; so do those of the version before a compaction that changed something,
and what a running write has made.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from streaming.batch.jobs import dry_run_parser, finish, known_contract, table_or_exit, upkeep_lock
from tidemark.certificates import latest_tidemark
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.ledger import Ledger
from tidemark.ledger_copy import committed_at
from tidemark.locks import held_since, write_lock
from tidemark.maintenance import before_change, recorded
from tidemark.settings import Settings

LEAST = timedelta(days=7)

_MARGIN = timedelta(days=1)  # a write may have begun a while before it took the lock
_EVIDENCE = timedelta(days=30)  # how long the rows from before a compaction that changed something are kept


@dataclass(frozen=True)
class Guard:
    """What a vacuum must leave: the files of some versions, and all that is younger than the retention."""

    versions: Mapping[int, datetime]  # and when they were committed
    retained: timedelta

    def log_needed_since(self, now: datetime) -> datetime:
        """Give the time before which no version can be read any more, so that nobody needs its log."""
        return min([now - self.retained, *(at - _MARGIN for at in self.versions.values())])


@dataclass(frozen=True)
class Vacuumed:
    """What a run has removed, or would remove."""

    files: int
    bytes: int | None  # None: a dry run does not tell
    retained_hours: int
    kept_versions: list[int]


def main() -> None:
    """Vacuum."""
    arguments = dry_run_parser("vacuum", __doc__).parse_args()
    settings = Settings.load()
    contract = known_contract(settings, arguments.contract)
    table_or_exit(settings, contract)
    with upkeep_lock(settings, contract), recorded(settings, contract.id) as run:
        done = vacuumed(settings, contract, guard(settings, contract, datetime.now(UTC)), arguments.dry_run)
        if not arguments.dry_run:
            run.done["vacuum"] = asdict(done)
    if arguments.json:
        print(json.dumps({"contract": contract.id, "dry_run": arguments.dry_run, **asdict(done)}))
    else:
        print(told(contract.id, done, arguments.dry_run))


def guard(settings: Settings, contract: Contract, now: datetime) -> Guard:
    """Say what a vacuum must leave.

    Raises:
        TidemarkError: how old a version is that somebody needs is not known.
    """
    latest = Ledger(settings.table("bronze", contract.id)).latest_version()
    mark = latest_tidemark(settings, contract.id)
    needed = {mark.origin.table_version} if mark else set()
    needed |= set(before_change(settings, contract.id, now - _EVIDENCE))
    # A version that is not there yet is one of a table that was archived
    versions = {version: _committed_at(settings, contract, version) for version in needed if 0 <= version <= latest}
    writing = held_since(write_lock(settings.locks, contract.id))
    return Guard(versions, retention(now, [writing] if writing else []))


def retention(now: datetime, writing_since: Iterable[datetime]) -> timedelta:
    """Give a retention in whole hours: seven days at least, and longer than any write that is running."""
    longest = max([LEAST, *(now - since + _MARGIN for since in writing_since)])
    return timedelta(hours=math.ceil(longest / timedelta(hours=1)))


def _committed_at(settings: Settings, contract: Contract, version: int) -> datetime:
    at = committed_at(settings, contract.id, version)
    if at is None:
        raise TidemarkError(
            f"bronze.{contract.id}: neither its log nor ops.ledger has version {version}, which somebody needs",
            f"`tidemark prove {contract.id}`: silver then reads a newer one; then run this again",
        )
    return at


def vacuumed(settings: Settings, contract: Contract, left: Guard, dry_run: bool = False) -> Vacuumed:
    """Remove what nobody needs.

    Every file of the table is looked at, not only those that the log says were removed: checkpoints forget these after
    seven days, and a write that failed has told the log nothing. For the same reason the versions that are needed are
    named: a retention does not reach further back than the checkpoints remember.

    Raises:
        TidemarkError: a file can't be removed, or a version that is needed can't be read.
    """
    path = settings.table("bronze", contract.id)
    hours = max(left.retained, LEAST) // timedelta(hours=1)
    versions = sorted(left.versions)
    since = Ledger(path).latest_version()
    try:
        files = DeltaTable(path).vacuum(hours, dry_run=dry_run, full=True, keep_versions=versions)
    except (DeltaError, OSError) as error:
        raise TidemarkError(f"{path}: can't be vacuumed: {error}") from None
    return Vacuumed(len(files), None if dry_run else _bytes(path, since), hours, versions)


def _bytes(path: str, since: int) -> int:
    """Read from the vacuum's own commits how much it has removed; a vacuum of nothing makes none."""
    return sum(int(commit.metrics.get("sizeOfDataToDelete", 0)) for commit in Ledger(path).commits(since + 1))


def told(contract: str, done: Vacuumed, dry_run: bool) -> str:
    """Say in a line what was removed."""
    size = "" if done.bytes is None else f", {done.bytes / 1e6:.1f} MB"
    word = "would be removed" if dry_run else "removed"
    kept = f", and all of version {', '.join(map(str, done.kept_versions))}" if done.kept_versions else ""
    return f"{contract}: {done.files} files {word}{size}; what {done.retained_hours / 24:g} days need stays{kept}"


if __name__ == "__main__":
    finish(main)
