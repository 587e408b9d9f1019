"""What a gate would judge: shown before it does, without Spark."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from expectations.judging import fingerprint
from expectations.pinned import Pin
from expectations.suites.declared import declaration_of
from expectations.suites.gated import GatedTable
from expectations.verdict import Declared


@dataclass(frozen=True)
class Plan:
    """One table's gate, before it runs."""

    table: str
    pin: Pin
    suite: str  # its fingerprint
    checks: tuple[Declared, ...]

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        checks = [{"check": each.check, "severity": each.severity, "columns": each.columns} for each in self.checks]
        return {
            "table": self.table,
            "version": self.pin.version.version,
            "window": self.pin.window,
            "suite": self.suite,
            "defects": [f"{what}: {why}" for what, why in self.pin.defects],
            "checks": checks,
        }

    def show(self, console: Console) -> None:
        """Print it for people."""
        title = f"{self.table}, version {self.pin.version.version}: what would be judged"
        table = Table(title=title, title_justify="left")
        for heading in ("expectation", "severity"):
            table.add_column(heading, overflow="fold")
        for check in self.checks:
            table.add_row(check.check, check.severity)
        console.print(table)
        for line in (f"of {self.pin.words}", *(f"fails by itself: {what}: {why}" for what, why in self.pin.defects)):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        console.print(f"suite {self.suite}, {len(self.checks)} checks; nothing was written", highlight=False)


def planned(table: GatedTable, pin: Pin) -> Plan:
    """Say what a gate would judge."""
    checks = tuple(declaration_of(expectation) for expectation in table.suite.expectations)
    return Plan(table.full_name, pin, fingerprint(table), checks)
