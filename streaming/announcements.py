"""Tell Airflow that bronze has moved: an event of the table's asset, so that what is built of it follows in minutes.

Nothing here is of any weight for the streams: what Airflow does not hear now, it hears at the next look, and its daily
runs need no event.
"""

import json
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deltalake.exceptions import DeltaError

from tidemark.airflow_api import AirflowApi
from tidemark.certificates import latest_tidemark
from tidemark.errors import TidemarkError
from tidemark.ledger import Commit, Ledger, ends
from tidemark.private_files import private_folder, write_private
from tidemark.settings import Settings

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0

_FAILURES = (TidemarkError, DeltaError, OSError, ValueError, LookupError)  # the last two: an answer that is none


@contextmanager
def announcing(settings: Settings, contracts: Iterable[str]) -> Iterator[None]:
    """Announce in a thread of its own while the block runs, unless the settings say never."""
    stop, announcements = threading.Event(), Announcements(settings, contracts)
    thread = threading.Thread(target=announcements.run, args=(stop,), name="announcements", daemon=True)
    if settings.asset_event_minutes:
        thread.start()
    try:
        yield
    finally:
        stop.set()


@dataclass(frozen=True)
class _Event:
    """What is told of one table."""

    contract: str
    version: int
    asset: int
    extra: dict[str, Any]


class Announcements:
    """What Airflow has been told of each contract's bronze table; a file remembers it over a restart."""

    def __init__(self, settings: Settings, contracts: Iterable[str]) -> None:
        self._settings = settings
        self._contracts = tuple(contracts)
        self._folder = settings.run / "announced"
        self._told: dict[str, tuple[int, float]] = {name: self._remembered(name) for name in self._contracts}
        self._warned: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Look again and again until told to stop."""
        while not stop.wait(LOOK_SECONDS):
            self.look(time.time())

    def look(self, now: float) -> None:
        """Announce every table that has moved since its last event, and may have one again."""
        moved = {name: commit for name in self._contracts if (commit := self._moved(name, now))}
        if not moved:
            return
        with self._warned_of("Airflow"):
            api = AirflowApi(self._settings)
            for event in self._events(api, moved):
                self._announce(api, event, now)

    def _events(self, api: AirflowApi, moved: Mapping[str, Commit]) -> list[_Event]:
        """Prepare all events, so that they come at once: what waits for any of them then runs once, not for each."""
        events = []
        for name, commit in moved.items():
            with self._warned_of(name):
                events.append(_Event(name, commit.version, api.asset(f"bronze/{name}"), self._extra(name, commit)))
        return events

    def _announce(self, api: AirflowApi, event: _Event, now: float) -> None:
        with self._warned_of(event.contract):
            api.announce(event.asset, event.extra)
            self._remember(event.contract, event.version, now)
            self._warned -= {"Airflow", event.contract}
            log.info("%s: told Airflow of version %d", event.contract, event.version)

    def _moved(self, name: str, now: float) -> Commit | None:
        """Give the newest ingest, if it is another than was announced and the time for an event has come."""
        version, at = self._told[name]
        if now - at < 60 * self._settings.asset_event_minutes:
            return None
        newest = Ledger(self._settings.table("bronze", name)).newest_ingest()
        return newest if newest and newest.version != version else None

    def _extra(self, name: str, commit: Commit) -> dict[str, Any]:
        tidemark = latest_tidemark(self._settings, name)
        through = tidemark.complete_through if tidemark else None
        return {
            "table_version": commit.version,
            "offsets": ends(commit.label.ranges) if commit.label else {},
            "complete_through": through.isoformat() if through else None,
        }

    def _remember(self, name: str, version: int, at: float) -> None:
        self._told[name] = (version, at)
        private_folder(self._folder)
        write_private(self._folder / f"{name}.json", json.dumps([version, at]))

    def _remembered(self, name: str) -> tuple[int, float]:
        try:
            version, at = json.loads((self._folder / f"{name}.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return -1, 0.0
        return int(version), float(at)

    @contextmanager
    def _warned_of(self, who: str) -> Iterator[None]:
        """Let a failure be said once; it is silent until it has worked again."""
        try:
            yield
        except _FAILURES as error:
            if who not in self._warned:
                log.warning("%s: no asset event, tried again: %s", who, error)
            self._warned.add(who)
