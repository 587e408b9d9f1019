"""Every layer of the speed layer: what the streams keep up to date, and the batch job recomputes."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from streaming.speed import SpeedLayer
from streaming.streams.enrichment import PAYMENT_RIDES, PAYMENTS_ENRICHED
from streaming.streams.fraud_alerts import FRAUD_ALERTS
from streaming.streams.log_errors import LOG_ERRORS
from streaming.streams.product_sales import PRODUCT_SALES
from streaming.streams.ride_counts import RIDE_COUNTS
from streaming.streams.sensor_anomalies import SENSOR_ANOMALIES, silences
from streaming.streams.sessions import SESSIONS
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError


class _Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)

SPEED_LAYERS = (
    *(RIDE_COUNTS, PRODUCT_SALES, FRAUD_ALERTS, SENSOR_ANOMALIES, PAYMENTS_ENRICHED, PAYMENT_RIDES),
    *(SESSIONS, LOG_ERRORS),
)


def layers_of(contracts: Mapping[str, Contract]) -> list[SpeedLayer]:
    """Give the layers whose contracts there are, and one for each contract that says which silence is too long."""
    known = [layer for layer in SPEED_LAYERS if contracts.keys() >= {*layer.contracts, *layer.tables}]
    return [*known, *silences(contracts)]


def chosen(known: Sequence[T], names: Sequence[str] | None) -> list[T]:
    """Keep the named streams; none named: all.

    Raises:
        TidemarkError: there is no such stream.
    """
    by_name = {each.name: each for each in known}
    unknown = [name for name in names or () if name not in by_name]
    if unknown:
        what = f"stream: found {', '.join(unknown)}; allowed are {', '.join(by_name)}"
        raise TidemarkError(what, "name one of them")
    return [by_name[name] for name in dict.fromkeys(names or by_name)]
