"""What an address exposes to Prometheus, and what docs/metrics.md says of it."""

import re
from collections.abc import Iterable

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.metrics import catalogue as whole_catalogue
from tidemark.probes import fetched
from tidemark.settings import ROOT

STREAMS, EXPORTER = "The streams' process", "The exporter"

Sample = tuple[str, frozenset[tuple[str, str]]]


class Exposition:
    """The metrics of one answer, or of one look."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.names: set[str] = set()
        self.values: dict[Sample, float] = {}
        for family in families:
            if family.name.startswith("tidemark_"):
                self.names.add(f"{family.name}_total" if family.type == "counter" else family.name)
                self.values |= {(each.name, frozenset(each.labels.items())): each.value for each in family.samples}

    def value(self, name: str, **labels: str) -> float | None:
        """Give a sample; None: there is none."""
        return self.values.get((f"tidemark_{name}", frozenset(labels.items())))

    def by_label(self, name: str, label: str, **others: str) -> dict[str, float]:
        """Give the samples of a metric by one of its labels, of those that have the other labels."""
        samples = ((dict(key[1]), value) for key, value in self.values.items() if key[0] == f"tidemark_{name}")
        return {labels[label]: value for labels, value in samples if others.items() <= labels.items()}

    def label_names(self) -> dict[str, set[str]]:
        """Give the labels of each metric that has a sample."""
        return {
            re.sub("_(sum|count|bucket)$", "", name): {key for key, _ in labels} - {"le"}
            for name, labels in self.values
        }


def scraped(port: int) -> Exposition:
    """Ask for the metrics, as Prometheus does."""
    return Exposition(text_string_to_metric_families(text_of(port)))


def text_of(port: int) -> str:
    """Give what Prometheus would read."""
    text = fetched(f"http://127.0.0.1:{port}/metrics")
    assert isinstance(text, str), "it does not answer"
    return text


def catalogue(heading: str) -> dict[str, set[str]]:
    """Give the labels of each metric that docs/metrics.md has under a heading."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    part = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = {name: set(metric.labels) for name, metric in whole_catalogue().items() if f"| `{name}` |" in part}
    assert len(found) > 15
    return found
