"""Windows of rides and sales, worked out in plain Python: slow, and simple enough to be believed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

SLIDE = timedelta(seconds=30)
LENGTH = timedelta(minutes=1)

Event = tuple[str, datetime]
Count = tuple[str, datetime, datetime, int]


def by_hand(events: Iterable[Event]) -> set[Count]:
    """Count each event in each window that has begun and not ended when it happens."""
    counts: Counter[Event] = Counter()
    for kind, happened in events:
        newest = happened - timedelta(seconds=happened.timestamp() % SLIDE.total_seconds())
        counts.update([(kind, newest), (kind, newest - SLIDE)])
    return {(kind, begun, begun + LENGTH, count) for (kind, begun), count in counts.items()}


FIVE_MINUTES = timedelta(minutes=5)


@dataclass(frozen=True)
class Sale:
    product: str
    quantity: int
    revenue: float
    customer: str
    at: datetime


@dataclass(frozen=True)
class Sold:
    """What a product sold in a window."""

    quantity: int
    revenue: float
    customers: int


def sold_by_hand(sales: Iterable[Sale]) -> Mapping[tuple[str, datetime], Sold]:
    """Sum up each product's sales of each window of five minutes, by the window's start."""
    windows: defaultdict[tuple[str, datetime], list[Sale]] = defaultdict(list)
    for sale in sales:
        start = sale.at - timedelta(seconds=sale.at.timestamp() % FIVE_MINUTES.total_seconds())
        windows[sale.product, start].append(sale)
    return {
        key: Sold(
            sum(sale.quantity for sale in some),
            float(sum(Decimal(str(sale.revenue)) for sale in some)),
            len({sale.customer for sale in some}),
        )
        for key, some in windows.items()
    }
