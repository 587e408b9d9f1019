"""What every batch job does first and last: find its contract and table, take its lock, end with its exit code."""

import argparse
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date

from tidemark.contracts import Contract, find_contract, read_contracts
from tidemark.errors import TidemarkError
from tidemark.leases import Lease, leased
from tidemark.ledger import Ledger
from tidemark.locks import exclusive
from tidemark.settings import Settings

_LOCK_WAIT_SECONDS = 300.0


def parser(job: str, described: str | None) -> argparse.ArgumentParser:
    """Give the arguments of every job about one contract's table."""
    words = argparse.ArgumentParser(prog=f"tidemark {job}", description=described)
    words.add_argument("contract")
    words.add_argument("--json", action="store_true", help="print the result as JSON")
    return words


def dry_run_parser(job: str, described: str | None) -> argparse.ArgumentParser:
    """Give the arguments of a job that can also only say what it would do."""
    words = parser(job, described)
    words.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    return words


def known_contract(settings: Settings, name: str) -> Contract:
    """Give the contract of that name, or fail with those there are."""
    return find_contract(read_contracts(settings.contracts_dir), name)


def table_or_exit(settings: Settings, contract: Contract) -> str:
    """Give the path of a contract's bronze table.

    Raises:
        TidemarkError: there is none yet.
    """
    path = settings.table("bronze", contract.id)
    if not Ledger(path).exists():
        raise TidemarkError(f"{path}: there is no table yet", "`make stream-up` creates it")
    return path


def upkeep_lock(settings: Settings, contract: Contract) -> AbstractContextManager[None]:
    """Hold the lock that upkeep of one table shares: the second waits, then is refused."""
    path = settings.locks / f"{contract.id}.upkeep"
    return exclusive(path, f"the upkeep lock of bronze.{contract.id}", _LOCK_WAIT_SECONDS)


def day_lease(settings: Settings, contract: Contract, day: date, job: str) -> AbstractContextManager[Lease]:
    """Hold the lease of a day of a bronze table: a second job on it waits, then is refused."""
    path = settings.table("bronze", contract.id)
    return leased(settings.leases, f"bronze.{contract.id}", path, day, job)


def finish(main: Callable[[], int | None]) -> None:
    """Run a job's main and leave with its exit code; an error that a person is meant to read has no traceback.

    What nobody foresaw ends with 2, could not run. 1 says that the job has done its work, and what it found is bad.
    """
    try:
        sys.exit(main() or 0)
    except TidemarkError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001 (whatever it is, it is told)
        traceback.print_exc()
        sys.exit(2)
