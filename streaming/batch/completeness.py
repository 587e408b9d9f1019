"""What keeps a day of a speed layer from being recomputed: bronze does not have all of it yet, or any more."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tidemark.certificates import latest_tidemark
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.ledger import Ledger
from tidemark.reconciliations import Outcome
from tidemark.settings import Settings

_STAMP = "%Y%m%dT%H%M%S"


@dataclass(frozen=True)
class Reach:
    """The event times of the records that a day's rows depend on: [start, end)."""

    start: datetime
    end: datetime


class HeldUp(TidemarkError):
    """A day is left as it is, and this is why."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


def check_complete(settings: Settings, contract: Contract, reach: Reach, now: datetime) -> None:
    """Check that a contract's table has every record of a reach.

    Raises:
        HeldUp: records may be gone, or may still come.
    """
    # A record may be stamped before the event time it carries, by as much as the limit for future times.
    landed = reach.start - timedelta(minutes=settings.future_limit_minutes)
    if lost := _lost(settings, contract, landed, now):
        raise HeldUp("skipped", lost)
    if coming := _coming(settings, contract, reach.end):
        raise HeldUp("open", coming)


def _lost(settings: Settings, contract: Contract, landed: datetime, now: datetime) -> str:
    """Say why records that landed at a time, or later, may be gone.

    Without them the windows that they once made would be taken for wrong, and be removed.
    """
    if contract.retain_days is not None and landed.date() < now.date() - timedelta(days=contract.retain_days):
        return f"bronze.{contract.id} keeps {contract.retain_days} days of ingest, and this needs {landed.date()}"
    table = Path(settings.table("bronze", contract.id))
    stamps = [path.name.rpartition("-")[2] for path in (table.parent / "archive").glob(f"{table.name}-*T*")]
    adopted = max((datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC) for stamp in stamps), default=None)
    if adopted and landed < adopted:
        return f"bronze.{contract.id} begins anew at {adopted:%Y-%m-%d %H:%M}: what was before is in its archive"
    return ""


def _coming(settings: Settings, contract: Contract, end: datetime) -> str:
    """Say why records before a time may still come."""
    newest = latest_tidemark(settings, contract.id)
    if newest is None:
        return f"bronze.{contract.id} was never proven: tidemark prove {contract.id}"
    ingest = Ledger(settings.table("bronze", contract.id)).newest_ingest()
    if ingest is None or ingest.label is None or ingest.label.topic_id != newest.origin.topic_id:
        return f"bronze.{contract.id} holds another topic than its newest proof is about: tidemark prove {contract.id}"
    through = newest.complete_through
    if through is None or through < end:
        until = "nowhere" if through is None else f"to {through:%Y-%m-%d %H:%M:%S}"
        return f"bronze.{contract.id} is complete {until}, and this needs it to {end:%Y-%m-%d %H:%M}"
    return ""
