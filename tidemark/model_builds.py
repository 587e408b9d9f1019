"""Which models are to be built: those that do not stand as their last build left them, or whose inputs have news."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from tidemark.dbt_nodes import Model
from tidemark.ledger import Ledger
from tidemark.model_inputs import Standing, all_standing, has_changed, is_news
from tidemark.ops_tables import MODEL_BUILDS, append, opened
from tidemark.settings import Settings

Action = Literal["build", "refresh", "skip"]


@dataclass(frozen=True)
class Build:
    """What a model's table was last built from."""

    version: int  # of the table, after it
    fingerprint: str
    inputs: Mapping[str, Standing]


@dataclass(frozen=True)
class Decision:
    """What becomes of a model, why, and how its inputs stood when that was decided."""

    model: Model
    action: Action
    why: str
    inputs: Mapping[str, Standing]


def last_builds(settings: Settings) -> dict[str, Build]:
    """Give the newest recorded build of each table."""
    newest = _newest_rows(settings).items()
    return {name: Build(row["version"], row["fingerprint"], json.loads(row["inputs"])) for name, row in newest}


def last_reads(settings: Settings) -> dict[str, datetime]:
    """Give when each table that models read was last read by the one of them that has not been built for longest."""
    reads: dict[str, datetime] = {}
    for row in _newest_rows(settings).values():
        for name in json.loads(row["inputs"]):
            reads[name] = min(reads.get(name, row["built_at"]), row["built_at"])
    return reads


def decisions(settings: Settings, models: Iterable[Model]) -> list[Decision]:
    """Decide over models, each behind those that it reads."""
    builds, decided, moving = last_builds(settings), [], set[str]()
    for model in models:
        one = _decided(settings, model, builds.get(model.table), moving)
        decided.append(one)
        if one.action != "skip":
            moving.add(model.table)
    return decided


def keep_builds(settings: Settings, built: Iterable[Decision]) -> None:
    """Record what tables were built from, as it stood before: what came meanwhile is news to the next build."""
    now = datetime.now(UTC)
    rows = [
        {
            "table": each.model.table,
            "built_at": now,
            "version": Ledger(settings.table(*each.model.table.split(".", 1))).latest_version(),
            "fingerprint": each.model.fingerprint,
            "inputs": json.dumps(each.inputs, sort_keys=True),
            "why": each.why,
        }
        for each in built
        if not each.model.is_view
    ]
    if rows:
        append(settings, MODEL_BUILDS, rows)


def _newest_rows(settings: Settings) -> dict[str, dict[str, Any]]:
    table = opened(settings, MODEL_BUILDS)
    rows = table.to_table().sort_by("built_at").to_pylist() if table else []
    return {row["table"]: row for row in rows}


def _decided(settings: Settings, model: Model, last: Build | None, moving: set[str]) -> Decision:
    inputs = all_standing(settings, model.inputs)
    action, why = _action(settings, model, last, inputs)
    above = sorted(moving.intersection(model.inputs))
    if action == "skip" and above:
        action, why = "build", f"{', '.join(above)} is built"
    return Decision(model, action, why, inputs)


def _action(settings: Settings, model: Model, last: Build | None, inputs: Mapping[str, Standing]) -> tuple[Action, str]:
    if model.is_view:
        # It holds no rows to be stale; and a catalog that was lost has no views, which only this brings back.
        return "build", "a view takes no time"
    if last is None:
        return "build", "no build of it is recorded"
    version = Ledger(settings.table(*model.table.split(".", 1))).latest_version()
    if version < 0:
        return "build", "there is no table"
    if model.fingerprint != last.fingerprint:
        return "refresh", "its SQL, macros, settings or columns are others"
    if has_changed(settings, model.table, last.version, version):
        return "build", "something else has written to it"
    if inputs.keys() != last.inputs.keys():
        return "refresh", "it reads other tables"
    news = [table for table, now in inputs.items() if is_news(settings, table, last.inputs[table], now)]
    return ("build", f"news in {', '.join(news)}") if news else ("skip", "no news in what it is made from")
