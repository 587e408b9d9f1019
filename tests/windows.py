"""Windows of rides, counted in plain Python: slow, and simple enough to be believed."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

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
