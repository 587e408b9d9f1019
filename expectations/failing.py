"""The query that lists every row which a check found at fault, for those who look for them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from expectations.pinned import Pin
from expectations.suites.gated import GatedTable
from expectations.suites.surveys import called
from expectations.verdict import Declared, Finding, Verdict
from tidemark.names import quoted
from tidemark.settings import Settings


def with_queries(
    verdict: Verdict,
    declared: Iterable[Declared],
    settings: Settings,
    table: GatedTable,
    pin: Pin,
    others: Mapping[str, int],
) -> Verdict:
    """Add to each check that is not met the query of its rows, where rows are what is wrong."""
    by_check = {each.check: each for each in declared}

    def completed(finding: Finding) -> Finding:
        check = by_check.get(finding.check)
        if finding.verdict == "pass" or check is None or not check.rows:
            return finding
        return replace(finding, query=_query(check, settings, table, pin, others))

    return Verdict(tuple(map(completed, verdict.findings)))


def _query(check: Declared, settings: Settings, table: GatedTable, pin: Pin, others: Mapping[str, int]) -> str:
    source = _relation(settings, table.full_name, pin.version.version)
    among = [pin.settled] if check.of_settled and table.layer == "bronze" else [pin.settled, table.where]
    kept = " AND ".join(condition for condition in among if condition != "true") or "true"
    rows = check.rows.replace("{rows}", f"(SELECT * FROM {source} WHERE {kept})")
    for name, version in others.items():
        rows = rows.replace(called(name), _relation(settings, name, version))
    columns = ", ".join(map(quoted, table.key))
    return f"SELECT {columns} FROM {source} WHERE {kept} AND {rows}"


def _relation(settings: Settings, name: str, version: int) -> str:
    return f"{quoted('delta', settings.table(*name.split('.', 1)))} VERSION AS OF {version}"
