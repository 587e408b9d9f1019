"""What a backfill would do or did, as a table for people and as JSON for jobs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from streaming.batch.backfill_sources import Found
from tidemark.contracts import Contract
from tidemark.models import downstream
from tidemark.reconciliations import Difference, Level, Outcome

_EXIT = {"planned": 0, "done": 0, "left": 1, "unknown": 2, "refused": 3}


@dataclass(frozen=True)
class DayReport:
    """One contract's day; `rows_after` is what bronze has of it when all is applied."""

    contract: str
    level: Level
    day: date
    outcome: str
    reason: str = ""
    rows_now: int = 0
    rows_after: int = 0
    missing: int = 0
    different: int = 0
    extra: int | None = None
    rejected: int = 0
    repaired: int = 0
    share: float = 0.0
    needs_approval: bool = False
    files_rewritten: int = 0  # a backfill only appends
    files_added: int = 0
    estimated_seconds: float = 0.0  # of an apply: it compares before and after
    models: tuple[str, ...] = ()  # that a change of the contract's bronze rebuilds
    differences: tuple[dict[str, Any], ...] = ()

    @classmethod
    def planned(
        cls,
        contract: Contract,
        level: Level,
        day: date,
        found: Found | None,
        limit: float,
        seconds: float = 0.0,
        rows: Sequence[Difference] = (),
    ) -> Self:
        """Report what would be done; nothing found: the source has nothing of that day.

        Args:
            seconds: what the comparison took.
        """
        if found is None:
            return cls(contract.id, level, day, "planned", "there is no export of this day")
        return cls(
            *(contract.id, level, day, "planned"),
            **_counts(contract, found, limit),
            estimated_seconds=round(seconds * (2 if found.repairable or found.rejected else 1), 1),
            differences=tuple(asdict(row) for row in rows),
        )

    @classmethod
    def applied(
        cls, contract: Contract, level: Level, day: date, found: Found, repaired: int, outcome: Outcome, limit: float
    ) -> Self:
        """Report what was done."""
        reason = (
            f"{found.share:.0%} of the day's rows would change: --approved {found.repairable} says that a person agreed"
        )
        counts = _counts(contract, found, limit)
        return cls(
            contract.id, level, day, outcome, reason if outcome == "refused" else "", **counts, repaired=repaired
        )

    @classmethod
    def unknown(cls, contract: Contract, level: Level, day: date, reason: str) -> Self:
        """Report that it can't be told."""
        return cls(contract.id, level, day, "unknown", reason)

    @property
    def exit_code(self) -> int:
        """What the day asks the process to end with."""
        return _EXIT[self.outcome]

    @property
    def line(self) -> str:
        """The day in one line, for progress."""
        found = f"{self.missing:,} missing, {self.different:,} different, {self.rejected:,} rejected"
        return f"{self.contract} {self.day}: {found}, {self.repaired:,} repaired {self.reason}".rstrip()


def show(reports: Sequence[DayReport], action: str, as_json: bool) -> None:
    """Print the reports; as JSON in one line."""
    if as_json:
        days = [asdict(report) for report in reports]
        needs = any(report.needs_approval and report.outcome in ("planned", "refused") for report in reports)
        rows = max((report.missing + report.different for report in reports), default=0)
        print(json.dumps({"action": action, "needs_approval": needs, "rows": rows, "days": days}, default=str))
        return
    Console().print(_table(reports, action))
    for report in reports:
        for difference in report.differences:
            line = json.dumps({name: value for name, value in difference.items() if value}, default=str)
            print(f"{report.contract} {report.day} {line}")
    if models := sorted({model for report in reports for model in report.models if report.files_added}):
        print(f"models to rebuild: {', '.join(models)}")


def _table(reports: Sequence[DayReport], action: str) -> Table:
    columns = (
        "rows now",
        "rows after",
        "missing",
        "different",
        "extra",
        "rejected",
        "files added",
        "share",
        "seconds, about",
    )
    table = Table("contract", "day", *columns, "outcome", title=f"backfill: {action}")
    for report in reports:
        counts = (report.rows_now, report.rows_after, report.missing, report.different)
        extra = "?" if report.extra is None else f"{report.extra:,}"
        outcome = "needs approval" if report.needs_approval and report.outcome == "planned" else report.outcome
        table.add_row(
            *(report.contract, str(report.day)),
            *(f"{count:,}" for count in counts),
            *(
                extra,
                f"{report.rejected:,}",
                str(report.files_added),
                f"{report.share:.1%}",
                f"{report.estimated_seconds:.1f}",
            ),
            f"{outcome} {report.reason}".rstrip(),
        )
    return table


def _counts(contract: Contract, found: Found, limit: float) -> dict[str, Any]:
    changes = found.repairable + found.rejected
    return {
        "rows_now": found.there,
        "rows_after": found.there + found.repairable,
        "missing": found.missing,
        "different": found.different,
        "extra": found.extra,
        "rejected": found.rejected,
        "share": found.share,
        "needs_approval": found.share > limit,
        "files_added": 1 if changes else 0,
        "models": downstream(contract.id) if changes else (),
    }
