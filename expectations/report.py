"""What a gate prints: a table for people, JSON for programs."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from expectations.pinned import Pin
from expectations.verdict import ROW_COUNT, Finding, Outcome, Verdict
from tidemark.gate_verdicts import GateVerdict

_COLOURS: dict[Outcome, str] = {"pass": "green", "warn": "yellow", "fail": "bold red"}


@dataclass(frozen=True)
class Judged:
    """A gate's outcome."""

    table: str
    pin: Pin
    verdict: Verdict
    report: str | None
    seconds: float
    suite: str  # its fingerprint
    contract_version: str = ""

    @property
    def version(self) -> int:
        """The version that was judged."""
        return self.pin.version.version

    @property
    def rows(self) -> int | None:
        """How many rows were judged; None: nobody counted them."""
        counts = (each.observed for each in self.verdict.findings if each.expectation == ROW_COUNT)
        digits = next(counts, "").replace(",", "")
        return int(digits) if digits.isdecimal() else None

    def to_row(self, at: datetime) -> GateVerdict:
        """Give it as it is kept."""
        left_out = ("rows", "query")  # for those who run the gate; the verdicts are kept for ever
        checks = [
            {name: value for name, value in asdict(each).items() if name not in left_out}
            for each in self.verdict.findings
        ]
        return GateVerdict(
            table=self.table,
            at=at,
            verdict=self.verdict.outcome,
            version=self.version,
            committed_at=datetime.fromtimestamp(self.pin.version.committed_at / 1000, UTC),
            rows=self.rows,
            contract_version=self.contract_version or None,
            suite=self.suite,
            window=self.pin.window,
            seconds=round(self.seconds, 3),
            checks=tuple(checks),
        )

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {
            "table": self.table,
            "version": self.version,
            "verdict": self.verdict.outcome,
            "suite": self.suite,
            "contract_version": self.contract_version or None,
            "window": self.pin.window,
            "checks": [asdict(finding) for finding in self.verdict.findings],
            "report": self.report,
            "seconds": round(self.seconds, 1),
        }


def show(judged: Judged, console: Console) -> None:
    """Print every check, then one line that says which were not met, and the link to the report."""
    table = Table(title=f"{judged.table}, version {judged.version}", title_justify="left")
    for heading in ("expectation", "column", "severity", "observed", "verdict"):
        table.add_column(heading, overflow="fold")
    for finding in judged.verdict.findings:
        colour = _COLOURS[finding.verdict]
        observed = finding.observed or finding.reason
        shown = f"[{colour}]{finding.verdict}[/]"
        name = finding.check.replace(f"({', '.join(finding.columns)})", "")
        table.add_row(name, ", ".join(finding.columns), finding.severity, observed, shown)
    console.print(table)
    for finding in judged.verdict.findings:
        for row in finding.rows:
            key = ", ".join(f"{name} {value}" for name, value in row.items())
            console.print(f"{finding.check}: {key}", markup=False, highlight=False, soft_wrap=True)
        if finding.query:
            console.print(
                f"{finding.check}: all of them: {finding.query}", markup=False, highlight=False, soft_wrap=True
            )
    console.print(f"judged: {judged.pin.words}", markup=False, highlight=False, soft_wrap=True)
    console.print(summary(judged), style=_COLOURS[judged.verdict.outcome], markup=False, soft_wrap=True)
    console.print(f"report: {judged.report or 'none was made'}", markup=False, soft_wrap=True)


def summary(judged: Judged) -> str:
    """Say the outcome in one line, with the expectations that failed."""
    verdict = judged.verdict
    failed = [*verdict.with_verdict("fail"), *verdict.with_verdict("warn")]
    total = f"{len(verdict.findings)} checks, {judged.seconds:.1f} s"
    said = "; ".join(map(_said, failed)) or "every expectation is met"
    return f"{verdict.outcome}: {judged.table} version {judged.version}: {said} ({total})"


def _said(finding: Finding) -> str:
    name = f"{finding.check} [{finding.expectation}]" if finding.expectation else finding.check
    warning = "warning: " if finding.verdict == "warn" else ""
    observed = f", observed {finding.observed}" if finding.observed else ""
    return f"{warning}{name} {finding.reason}{observed}"
