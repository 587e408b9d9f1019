"""What names the rows of a dbt model, by its own tests: `unique_together` of columns, or `unique` of one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tidemark.errors import TidemarkError
from tidemark.models import MODELS

_VIEWS = "intermediate"  # all models of this folder are


def model_key(layer: str, name: str, folder: Path = MODELS) -> tuple[str, ...]:
    """Give the key of a model of a layer.

    Raises:
        TidemarkError: the model's file does not say it.
    """
    for path in (folder / layer).rglob(f"{name}.yml"):
        for key in _keys(yaml.safe_load(path.read_text(encoding="utf-8")), name):
            return key
    raise TidemarkError(f"{layer}.{name}: no test says what names a row", "add unique_together, or unique to a column")


def keyed_models(layer: str, folder: Path = MODELS) -> tuple[str, ...]:
    """List the models of a layer that have a file which describes them, and versions: a view has none."""
    described = (path for path in (folder / layer).rglob("*.sql") if path.with_suffix(".yml").exists())
    return tuple(sorted(path.stem for path in described if not _is_view(path)))


def _is_view(model: Path) -> bool:
    return model.parent.name == _VIEWS or "materialized='view'" in model.read_text(encoding="utf-8")


def _keys(document: Any, name: str) -> Iterator[tuple[str, ...]]:
    for model in document.get("models") or ():
        if model["name"] == name:
            tests = [test["unique_together"] for test in _tests(model) if "unique_together" in test]
            yield from (tuple(test["arguments"]["columns"]) for test in tests)
            yield from ((column["name"],) for column in model.get("columns") or () if _is_unique(column))


def _is_unique(column: dict[str, Any]) -> bool:
    return any("unique" in test for test in _tests(column))


def _tests(of: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the tests of a model or column, each by its name."""
    return [{test: {}} if isinstance(test, str) else test for test in of.get("data_tests") or ()]
