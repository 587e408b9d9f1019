"""The dbt models: which have gates, which contract each silver one comes from, and what follows from a contract."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tidemark.settings import ROOT

STAGED: Mapping[str, str] = MappingProxyType({"stg_rides": "ride_events", "stg_sales": "sales_events"})
GOLD = ("fct_rides_hourly", "fct_product_sales_daily")

_SOURCE = re.compile(r"""source\(\s*['"]bronze['"]\s*,\s*['"](\w+)['"]\s*\)""")
_REF = re.compile(r"""ref\(\s*['"](\w+)['"]\s*\)""")


def downstream(contract: str, folder: Path = ROOT / "dbt_project" / "models") -> tuple[str, ...]:
    """List the models that are built, directly or by others, from a contract's bronze table."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in folder.rglob("*.sql")}
    found = {name for name, text in texts.items() if contract in _SOURCE.findall(text)}
    while more := {name for name, text in texts.items() if found & {*_REF.findall(text)}} - found:
        found |= more
    return tuple(sorted(found))
