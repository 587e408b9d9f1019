"""Where tables come from and what is made of them, from topic to dashboard, as dbt's manifest says it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tidemark.contracts import Contract
from tidemark.dbt_manifest import manifest
from tidemark.models import downstream
from tidemark.settings import Settings

TOPIC = "topic"
LAYERS = (TOPIC, "bronze", "speed", "quarantine", "ops", "silver", "gold")


@dataclass(frozen=True)
class Lineage:
    """What stands before a table, and what after it; the nearest to a topic first."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def steps_before(self) -> list[list[str]]:
        """What stands before, layer by layer."""
        return _by_layer(self.before)

    @property
    def steps_after(self) -> list[list[str]]:
        """What comes after, layer by layer."""
        return _by_layer(self.after)


class Graph:
    """All tables, the topics before them and the dashboards after them; a name is `<layer>.<table>`."""

    def __init__(self, edges: Iterable[tuple[str, str]]) -> None:
        self._after: dict[str, set[str]] = {}
        self._before: dict[str, set[str]] = {}
        for source, target in edges:
            self._after.setdefault(source, set()).add(target)
            self._before.setdefault(target, set()).add(source)

    def of(self, table: str) -> Lineage:
        """Give what a table is made from and what is made from it, at any distance."""
        return Lineage(_reached(self._before, table), _reached(self._after, table))


def graph_of(settings: Settings, contracts: Mapping[str, Contract]) -> Graph:
    """Read the manifest that dbt wrote last; without one, what the models' texts say."""
    edges = [(f"{TOPIC}.{each.topic}", f"bronze.{name}") for name, each in contracts.items()]
    path = manifest(settings)
    if path.exists():
        return Graph([*edges, *manifest_edges(json.loads(path.read_text(encoding="utf-8")))])
    built = ((f"bronze.{name}", model) for name in contracts for model in downstream(name))
    return Graph([*edges, *((source, f"{_layer(model)}.{model}") for source, model in built)])


def manifest_edges(written: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Give each step from a table to a table or dashboard that a manifest has; not those to dbt's own tests."""
    names = {key: f"{node['schema']}.{node['name']}" for key, node in written["nodes"].items() if _is_table(node)}
    names |= {key: f"{node['source_name']}.{node['name']}" for key, node in written["sources"].items()}
    names |= {key: f"{node['type']}.{node['name']}" for key, node in written.get("exposures", {}).items()}
    parents = ((child, parent) for child, all_of in written["parent_map"].items() for parent in all_of)
    steps = [(names[parent], names[child]) for child, parent in parents if child in names and parent in names]
    return [step for step in steps if not step[0].startswith("ops.")]


def _is_table(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] in ("model", "snapshot")


def _layer(model: str) -> str:
    return "silver" if model.startswith(("stg_", "int_")) else "gold"


def _reached(steps: Mapping[str, set[str]], start: str) -> tuple[str, ...]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = steps.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return tuple(sorted(found, key=lambda name: (_rank(name.partition(".")[0]), name)))


def _by_layer(names: Iterable[str]) -> list[list[str]]:
    return [list(names) for _, names in groupby(names, key=lambda name: _rank(name.partition(".")[0]))]


def _rank(layer: str) -> int:
    return LAYERS.index(layer) if layer in LAYERS else len(LAYERS)
