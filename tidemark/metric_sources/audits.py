"""What batch jobs and gates have left in the lake: proofs, verdicts, reconciles, incidents."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, get_args

from prometheus_client.core import GaugeMetricFamily

from tidemark.certificates import Tidemark, latest_tidemark
from tidemark.incidents import Kind, open_incidents
from tidemark.metric_sources.part import gauge, seconds_of
from tidemark.metric_sources.versions import OfVersion
from tidemark.ops_tables import INCIDENTS, RECONCILIATIONS, TIDEMARKS, opened
from tidemark.settings import Settings
from tidemark.table_looks import gate_file

_WITHIN = timedelta(days=7)
_LEVELS = ("transport", "source")
_WRONG = ("missing", "extra", "different")


class Proofs:
    """How far each contract's table is proven."""

    source = "lake"

    def __init__(self, settings: Settings, contracts: list[str]) -> None:
        self._newest = tidemarks(settings, contracts)

    def look(self, at: datetime) -> list[GaugeMetricFamily]:
        """Read the newest tidemarks."""
        through = {contract: mark.complete_through for contract, mark in self._newest.get().items()}
        what = "Up to this event time everything is proven."
        return [gauge("complete_through_timestamp_seconds", what, "contract", seconds_of(through))]


class Gates:
    """The last verdict on each table."""

    source = "lake"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self, at: datetime) -> list[GaugeMetricFamily]:
        """Read each table's file."""
        folder = gate_file(self._settings, "").parent
        found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[a-z]*.json"))}
        passed = {table: each["verdict"] != "fail" for table, each in found.items()}
        times = {table: datetime.fromisoformat(each["at"]) for table, each in found.items()}
        return [
            gauge("gate_passed", "0: the newest verdict is fail.", "table", passed),
            gauge("gate_timestamp_seconds", "When the newest verdict was found.", "table", seconds_of(times)),
        ]


class Reconciles:
    """What reconciles found and left."""

    source = "lake"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rows = OfVersion(settings.table("ops", RECONCILIATIONS), self._read)

    def look(self, at: datetime) -> list[GaugeMetricFamily]:
        """Read what is new in the audit."""
        rows = self._rows.get()
        left = Counter[str]()
        for (_, subject, _), row in newest_of_each_day(rows, at - _WITHIN).items():
            left[subject] += max(0, sum(row[name] or 0 for name in _WRONG) - (row["repaired"] or 0))
        times = {row["subject"]: row["at"] for row in rows}  # they are in the order of their times
        what = "Rows that the newest reconciles of each day found and did not repair."
        return [
            gauge("reconcile_differences", what, "contract", left),
            gauge("reconcile_timestamp_seconds", "When the newest reconcile ended.", "contract", seconds_of(times)),
        ]

    def _read(self) -> list[dict[str, Any]]:
        table = opened(self._settings, RECONCILIATIONS)
        columns = ["level", "subject", "day", "at", "repaired", *_WRONG]
        rows = table.to_table(columns).to_pylist() if table else []
        return sorted((row for row in rows if row["level"] in _LEVELS), key=lambda row: row["at"])


class Incidents:
    """What `watch_streams` found wrong and is not over."""

    source = "lake"

    def __init__(self, settings: Settings) -> None:
        self._open = OfVersion(settings.table("ops", INCIDENTS), lambda: open_incidents(settings))

    def look(self, at: datetime) -> list[GaugeMetricFamily]:
        """Count them by kind."""
        found = Counter[str](each.kind for each in self._open.get())
        what = "Incidents that are open, as watch_streams tells them."
        return [gauge("incidents_open", what, "kind", {kind: found[kind] for kind in get_args(Kind)})]


def tidemarks(settings: Settings, contracts: list[str]) -> OfVersion[dict[str, Tidemark]]:
    """Give the newest tidemark of each contract, read anew when there is another."""

    def read() -> Iterator[tuple[str, Tidemark]]:
        for contract in contracts:
            mark = latest_tidemark(settings, contract)
            if mark is not None:
                yield contract, mark

    return OfVersion(settings.table("ops", TIDEMARKS), lambda: dict(read()))


def newest_of_each_day(rows: list[dict[str, Any]], since: datetime) -> Mapping[tuple[str, str, Any], dict[str, Any]]:
    """Give the newest of the recent rows for each level, subject and day; the rows are in the order of their times."""
    recent = (row for row in rows if row["at"] >= since)
    return {(row["level"], row["subject"], row["day"]): row for row in recent}
