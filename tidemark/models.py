"""The dbt models that have gates: which there are, and which contract each silver one comes from."""

from collections.abc import Mapping
from types import MappingProxyType

STAGED: Mapping[str, str] = MappingProxyType({"stg_rides": "ride_events", "stg_sales": "sales_events"})
GOLD = ("fct_rides_hourly", "fct_product_sales_daily")
