"""Sessions of page views, worked out in plain Python."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

GAP = timedelta(minutes=30)

_EPOCH = datetime.fromtimestamp(0, UTC)

Session = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    id: str
    visitor: str
    page: str
    at: datetime


def sessions_by_hand(views: Iterable[View]) -> Sequence[Session]:
    """Cut each visitor's views, each taken once, where nothing happens for longer than the gap."""
    sessions: list[list[View]] = []
    newest: defaultdict[str, list[View]] = defaultdict(list)
    for view in sorted(set(views), key=lambda view: (view.at, view.id)):
        session = newest[view.visitor]
        if not session or view.at - session[-1].at > GAP:
            session = newest[view.visitor] = []
            sessions.append(session)
        session.append(view)
    return in_order(_described(session) for session in sessions)


def in_order(sessions: Iterable[Session]) -> Sequence[Session]:
    """Sort sessions by their key."""
    return sorted(sessions, key=lambda session: (session["visitor_id"], session["window_start"]))


def _described(session: Sequence[View]) -> Session:
    first, last = session[0], session[-1]
    begun = f"{first.visitor}|{(first.at - _EPOCH) // timedelta(microseconds=1)}"
    return {
        "session_id": sha256(begun.encode()).hexdigest()[:32],
        "visitor_id": first.visitor,
        "window_start": first.at,
        "window_end": last.at + GAP,
        "last_view_at": last.at,
        "count_pages": len(session),
        "entry_page": first.page,
        "exit_page": last.page,
        "duration_seconds": (last.at - first.at) / timedelta(seconds=1),
        "is_bounce": len(session) == 1,
    }
