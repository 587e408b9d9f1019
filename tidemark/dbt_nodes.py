"""dbt's models as its manifest has them: what each is made from, and a fingerprint of how."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidemark.dbt_manifest import manifest, write_manifest
from tidemark.settings import Settings

PACKAGE = "tidemark"

_OVERRIDES = "spark__"  # macros by which dbt writes every table: no model names them
# Of a model's configuration, what its rows or columns depend on.
_CONFIGURED = (
    "materialized",
    "incremental_strategy",
    "unique_key",
    "on_schema_change",
    "meta",
    "contract",
    "file_format",
)


@dataclass(frozen=True)
class Model:
    """A model of dbt's project."""

    unique_id: str
    table: str  # <layer>.<name>
    words: frozenset[str]  # by which it is selected: its layer, its folder, its name
    is_view: bool
    inputs: tuple[str, ...]  # the tables that it reads, itself or through views: `silver.stg_rides`
    fingerprint: str

    @property
    def name(self) -> str:
        """Its name without its layer."""
        return self.table.partition(".")[2]


def project_models(settings: Settings) -> list[Model]:
    """Give the models of the project as it stands now."""
    write_manifest(settings)
    return models_of(json.loads(manifest(settings).read_text(encoding="utf-8")))


def models_of(found: Mapping[str, Any]) -> list[Model]:
    """Give the models of a manifest, each behind those that it reads."""
    nodes = {key: node for key, node in found["nodes"].items() if node["resource_type"] == "model"}
    known: dict[str, Model] = {}

    def add(key: str) -> None:
        if key not in known:
            above = [name for name in nodes[key]["depends_on"]["nodes"] if name in nodes]
            for each in above:
                add(each)
            known[key] = _model(nodes[key], found, known)

    for key in sorted(nodes):
        add(key)
    return list(known.values())


def _model(node: Mapping[str, Any], found: Mapping[str, Any], known: Mapping[str, Model]) -> Model:
    above = node["depends_on"]["nodes"]
    views = [known[name] for name in above if name in known and known[name].is_view]
    tables = {known[name].table for name in above if name in known and not known[name].is_view}
    sources = {_called(found["sources"][name]) for name in above if name in found["sources"]}
    return Model(
        unique_id=node["unique_id"],
        table=_called(node),
        words=frozenset(node["fqn"][1:]),
        is_view=node["config"]["materialized"] == "view",
        inputs=tuple(sorted(tables.union(sources, *(view.inputs for view in views)))),
        fingerprint=_fingerprint(node, found["macros"], views),
    )


def _fingerprint(node: Mapping[str, Any], macros: Mapping[str, Any], views: list[Model]) -> str:
    """Hash what decides over a model's rows: its SQL, macros, settings and columns, and the views that it reads."""
    overrides = {key for key, macro in macros.items() if macro["name"].startswith(_OVERRIDES)}
    used = sorted(set(_used({*node["depends_on"]["macros"], *overrides}, macros)))
    told = [
        _plain(node["raw_code"]),
        [_plain(macros[key]["macro_sql"]) for key in used],
        {name: node["config"].get(name) for name in _CONFIGURED},
        [[name, column.get("data_type")] for name, column in node["columns"].items()],
        sorted(node["depends_on"]["nodes"]),
        [view.fingerprint for view in views],
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _used(names: set[str], macros: Mapping[str, Any]) -> Iterator[str]:
    """List the project's own macros among some, and those that these use."""
    seen: set[str] = set()
    while names := {name for name in names - seen if name in macros and macros[name]["package_name"] == PACKAGE}:
        seen |= names
        yield from names
        names = {each for name in names for each in macros[name]["depends_on"]["macros"]}


def _plain(text: str) -> str:
    # To break a line elsewhere changes no row
    return " ".join(text.split())


def _called(node: Mapping[str, Any]) -> str:
    return f"{node['schema']}.{node.get('identifier') or node.get('alias')}"
