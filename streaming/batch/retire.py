"""Let days of a bronze table go whose time is up: `python -m streaming.batch.retire <contract> [--dry-run] [--json]`

The contract's `retainDays` says how long a day of ingest stays. A day goes only when every row of it is under a
certificate that holds; the ledger keeps which offsets they were.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError

from streaming.batch.jobs import dry_run_parser, finish, known_contract, table_or_exit, upkeep_lock
from tidemark import bronze
from tidemark.certificates import Certificates, Origin, write_certificates
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.ledger import Label
from tidemark.ledger_copy import history_of
from tidemark.ledger_history import LedgerHistory
from tidemark.maintenance import recorded
from tidemark.names import quoted_ansi
from tidemark.retirement import Retirement, Retiring, expired_days, joined
from tidemark.settings import Settings
from tidemark.spans import Span

_MOST_DAYS = 7  # a run: each is read whole


@dataclass(frozen=True)
class Retired:
    """What a run has retired, or would have."""

    days: Sequence[date]
    refused: dict[date, str]
    rows: int
    left: int  # expired days that are left for the next run

    def as_json(self) -> dict[str, Any]:
        """Give it in plain types."""
        refused = {str(day): why for day, why in self.refused.items()}
        return {"days": [str(day) for day in self.days], "refused": refused, "rows": self.rows, "left": self.left}


NOTHING = Retired((), {}, 0, 0)


def main() -> None:
    """Retire what is due."""
    arguments = dry_run_parser("retire", __doc__).parse_args()
    settings = Settings.load()
    contract = known_contract(settings, arguments.contract)
    table_or_exit(settings, contract)
    with upkeep_lock(settings, contract), recorded(settings, contract.id) as run:
        done = retired(settings, contract, datetime.now(UTC).date(), dry_run=arguments.dry_run)
        if done.days and not arguments.dry_run:
            run.done["retire"] = done.as_json()
    if arguments.json:
        print(json.dumps({"contract": contract.id, "dry_run": arguments.dry_run, **done.as_json()}))
    else:
        print("\n".join(told(contract, done, arguments.dry_run)))


def retired(settings: Settings, contract: Contract, today: date, dry_run: bool = False) -> Retired:
    """Remove the days whose time is up, in one commit that says which offsets they had.

    Raises:
        TidemarkError: the log is not whole, or another writer changed these days meanwhile.
    """
    if contract.retain_days is None:
        return NOTHING
    history = history_of(settings, contract.id)
    history.follow()
    newest = history.newest
    if newest is None:
        return NOTHING
    if not history.is_whole:
        raise TidemarkError(f"bronze.{contract.id}: its log is not whole", "`tidemark prove` says what is missing")
    table = DeltaTable(settings.table("bronze", contract.id), version=history.version)
    days = sorted(set(table.get_add_actions(flatten=True).column(f"partition.{bronze.INGEST_DATE}").to_pylist()))
    expired = expired_days(days, today, contract.retain_days)
    if not expired:
        return NOTHING
    plan = _looked_at(settings, contract, history, days).planned(expired[:_MOST_DAYS])
    if plan.days and not dry_run:
        _apply(settings, contract, table, newest, plan)
    return Retired(plan.days, plan.refused, plan.rows, len(expired[_MOST_DAYS:]))


def _looked_at(settings: Settings, contract: Contract, history: LedgerHistory, days: Sequence[date]) -> Retiring:
    topic_id = history.newest.topic_id if history.newest else ""
    vouchers = Certificates(settings, contract.id, topic_id).covering
    known = [Span(partition, start, history.ends[partition]) for partition, start in history.starts.items()]
    return Retiring(settings.table("bronze", contract.id), history.version, contract.topic, days, known, vouchers)


def _apply(settings: Settings, contract: Contract, table: DeltaTable, newest: Label, plan: Retirement) -> None:
    run_id = str(uuid.uuid4())
    own = (contract.id, newest.topic, newest.topic_id, table.version())
    # True before the days go as after it, so a crash between the two does no harm
    write_certificates(settings, Origin(run_id, *own, datetime.now(UTC)), plan.kept)
    position = (newest.topic, newest.topic_id, plan.hulls, contract.version)
    label = Label("retire", "retire", 0, run_id, *position, joined(plan.ranges))
    named = ", ".join(f"'{day.isoformat()}'" for day in plan.days)
    try:
        table.delete(
            f"{quoted_ansi(bronze.INGEST_DATE)} IN ({named})",
            commit_properties=CommitProperties(custom_metadata={"userMetadata": label.to_json()}),
        )
    except DeltaError as error:
        raise TidemarkError(f"bronze.{contract.id}: {named} did not go: {error}", "run the command again") from None


def told(contract: Contract, done: Retired, dry_run: bool) -> list[str]:
    """Say in lines what was retired."""
    if contract.retain_days is None:
        return [f"{contract.id}: keeps every day; `retainDays` in its contract would end that"]
    word = "would go" if dry_run else "gone"
    lines = [f"{contract.id}: {len(done.days)} days {word} ({', '.join(map(str, done.days))}), {done.rows:,} rows"]
    lines += [f"{day} stays: {why}; `tidemark prove {contract.id}` first" for day, why in done.refused.items()]
    return [*lines, f"{done.left} more days are left for the next run"] if done.left else lines


if __name__ == "__main__":
    finish(main)
