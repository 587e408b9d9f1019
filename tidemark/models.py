"""The dbt models: which have gates, which contract each silver one comes from, and what follows from a contract."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tidemark.dbt_manifest import PROJECT

STAGED: Mapping[str, str] = MappingProxyType({"stg_rides": "ride_events", "stg_sales": "sales_events"})
MODELS = PROJECT / "models"
GOLD = ("fct_rides_hourly", "fct_product_sales_daily")

_SOURCE = re.compile(r"""source\(\s*['"]bronze['"]\s*,\s*['"](\w+)['"]\s*\)""")
_REF = re.compile(r"""ref\(\s*['"](\w+)['"]\s*\)""")


def readers(contract: str, folder: Path = MODELS) -> dict[str, str]:
    """Give the SQL of each model that reads a contract's bronze table."""
    return {name: sql for name, sql in _texts(folder).items() if contract in _SOURCE.findall(sql)}


def downstream(contract: str, folder: Path = MODELS) -> tuple[str, ...]:
    """List the models that are built, directly or by others, from a contract's bronze table."""
    texts, found = _texts(folder), set(readers(contract, folder))
    while more := {name for name, text in texts.items() if found & {*_REF.findall(text)}} - found:
        found |= more
    return tuple(sorted(found))


def _texts(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.rglob("*.sql")}
