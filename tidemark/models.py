"""The dbt models: which have gates, which contract each silver one comes from, and what follows from a contract."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from tidemark.dbt_manifest import PROJECT

STAGED: Mapping[str, str] = MappingProxyType(
    {
        "stg_rides": "ride_events",
        "stg_sales": "sales_events",
        "stg_payments": "card_payments",
        "stg_page_views": "page_views",
        "stg_sensor_readings": "sensor_readings",
        "stg_logs": "app_logs",
        "stg_customers": "customers",
    }
)
MODELS = PROJECT / "models"
GOLD = (
    *("fct_rides_hourly", "fct_product_sales_daily", "fct_rides", "fct_sessions", "fct_sensor_health"),
    *("fct_service_errors", "fct_fraud_alerts", "dim_customers", "dim_products"),
)

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


def left_out(contracts: Collection[str], folder: Path = MODELS) -> dict[str, list[str]]:
    """Give each model that needs contracts which there are not, and which these are."""
    texts = _texts(folder)
    needed = {name: {*_SOURCE.findall(sql)} for name, sql in texts.items()}
    for _ in texts:  # no chain is longer
        for name, sql in texts.items():
            needed[name] = needed[name].union(*(needed.get(each, ()) for each in _REF.findall(sql)))
    missing = {name: sorted(ids.difference(contracts)) for name, ids in sorted(needed.items())}
    return {name: ids for name, ids in missing.items() if ids}


def _texts(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.rglob("*.sql")}
