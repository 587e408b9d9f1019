"""The catalogue of metrics, as docs/metrics.md has it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tidemark.settings import ROOT

_ROW = re.compile(r"^\| `(tidemark_\w+)` \| (gauge|counter|histogram) \|([^|]*)\|", re.MULTILINE)

_NAME = r'(?<!")\btidemark_\w+'  # a label's value is in quotes


@dataclass(frozen=True)
class Metric:
    """One metric by its name; a counter's ends in _total."""

    name: str
    kind: str
    labels: tuple[str, ...]

    @property
    def series(self) -> set[str]:
        """Give the names under which Prometheus has it."""
        parts = ("_bucket", "_sum", "_count") if self.kind == "histogram" else ("",)
        return {self.name + part for part in parts}


def catalogue() -> dict[str, Metric]:
    """Give every metric of the page."""
    rows = _ROW.findall((ROOT / "docs" / "metrics.md").read_text())
    split = (
        (name, kind, tuple(label.strip() for label in labels.split(",") if label.strip()))
        for name, kind, labels in rows
    )
    return {name: Metric(name, kind, labels) for name, kind, labels in split}


def unknown(expressions: Iterable[str]) -> set[str]:
    """Give the names of ours in expressions that the page does not have."""
    known = {series for metric in catalogue().values() for series in metric.series}
    return {name for each in expressions for name in names_in(each)} - known


def names_in(expression: str) -> set[str]:
    """Give the names of ours in an expression."""
    return set(re.findall(_NAME, expression))
