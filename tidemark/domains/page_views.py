"""Page views: visitors walk through a shop's pages, pause, come back or leave. Several are there at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from types import MappingProxyType

from tidemark.domains.event import Event

WIRES = frozenset({"view_id", "visitor_id", "page", "referrer", "ts"})

_THERE, _THERE_LATE = 80, 8
_VISITORS = 100_000
_PRODUCTS, _CATEGORIES = 500, 20
_BOUNCED = 0.35
_MINUTE_MS = 60_000
_PAUSED = 0.05  # after how many of the views a visitor is away for a while
_PAUSE_MINUTES = 3, 90  # some pauses end a session, some do not
_PAUSED_AT_MOST = 2000
_ENTRIES = ("home", "home", "home", "product", "product", "category")
_SITES = ("https://www.google.com/", "https://www.bing.com/", "https://news.example.org/", None, None)
_LEAVE = "leave"
# Where a visitor goes next; what stands there twice is twice as likely
_NEXT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "home": ("category", "category", "category", "search", "search", "product", _LEAVE),
        "category": ("product", "product", "product", "product", "category", "home", _LEAVE),
        "search": ("product", "product", "product", "search", _LEAVE),
        "product": ("product", "category", "category", "search", "cart", "cart", _LEAVE, _LEAVE),
        "cart": ("checkout", "checkout", "product", "category", _LEAVE),
        "checkout": ("thanks", "thanks", "cart", _LEAVE),
        "thanks": ("home", _LEAVE, _LEAVE, _LEAVE),
    }
)


@dataclass(slots=True)
class Visit:
    """A visitor on the site; `lag` is how long the browser takes to send, `moment` when the last page was opened."""

    visitor: str
    age: int
    lag: int
    bounces: bool
    referrer: str | None
    kind: str = ""
    page: str = ""
    moment: int = 0


class PageViews:
    """The visitors of one shop. The Kafka key is the visitor, so that the views of one are in order."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._number = 0
        self._live: list[Visit] = []
        self._late: list[Visit] = []
        self._paused: list[tuple[int, int, Visit]] = []

    def event(self, now: int, age: int) -> Event:
        """Let one of the visitors open a page.

        A late view belongs to a visit all of whose views are late: its browser was offline.
        """
        pool, limit = (self._late, _THERE_LATE) if age else (self._live, _THERE)
        place = int(self._random.random() * limit)
        if place >= len(pool):
            place = len(pool)
            pool.append(self._begun(now, age))
        visit = pool[place]
        self._open(visit, now)
        view = Event(self._fields(visit), visit.visitor.encode(), [])
        if self._goes(visit, now):
            pool[place] = pool[-1]
            pool.pop()
        return view

    def _begun(self, now: int, age: int) -> Visit:
        if not age and self._paused and self._paused[0][0] <= now:
            return heappop(self._paused)[2]
        self._number += 1
        # One after the other: nobody begins a second visit while the first is under way
        visitor = f"visitor-{self._number * 7919 % _VISITORS:06d}"
        bounces = self._random.random() < _BOUNCED
        return Visit(visitor, age, 50 + int(self._random.random() * 950), bounces, self._random.choice(_SITES))

    def _open(self, visit: Visit, now: int) -> None:
        if visit.kind:
            visit.referrer = visit.page
        else:
            visit.kind = self._random.choice(_ENTRIES)
        visit.page = self._path(visit.kind)
        visit.moment = max(visit.moment + 1, now - visit.age - visit.lag)

    def _goes(self, visit: Visit, now: int) -> bool:
        """Choose the next page; tell whether the visitor leaves, or pauses."""
        visit.kind = _LEAVE if visit.bounces else self._random.choice(_NEXT[visit.kind])
        if visit.kind == _LEAVE:
            return True
        if visit.age or self._random.random() >= _PAUSED:
            return False
        if len(self._paused) < _PAUSED_AT_MOST:
            back = now + int(self._random.uniform(*_PAUSE_MINUTES) * _MINUTE_MS)
            heappush(self._paused, (back, self._number, visit))
        return True

    def _path(self, kind: str) -> str:
        match kind:
            case "home":
                return "/"
            case "category":
                return f"/categories/{1 + int(self._random.random() * _CATEGORIES)}"
            case "product":
                return f"/products/product-{1 + int(self._random.random() ** 3 * _PRODUCTS):04d}"
            case _:
                return f"/{kind}"

    def _fields(self, visit: Visit) -> dict[str, object]:
        came_from = {"referrer": visit.referrer} if visit.referrer else {}
        return {
            "view_id": f"{self._random.getrandbits(128):032x}",
            "visitor_id": visit.visitor,
            "page": visit.page,
            **came_from,
            "ts": visit.moment,
        }
