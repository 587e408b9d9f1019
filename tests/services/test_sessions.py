"""sessions on real Kafka, Spark and Delta: those of plain Python, each written once."""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from confluent_kafka import Producer
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from streaming.health import described
from streaming.host import StreamState
from streaming.speed import SpeedStream
from streaming.streams.sessions import SESSIONS
from tests.kafka import Broker
from tests.sessions import Session, View, in_order, sessions_by_hand
from tests.streams import contract_on, settings_in

pytestmark = pytest.mark.services

MINUTE = timedelta(minutes=1)


class Site:
    """The stream with a topic of its own, and its visitors."""

    def __init__(self, home: Path, broker: Broker, spark: SparkSession) -> None:
        self._spark = spark
        self._producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        self.settings = settings_in(home, broker, future_limit_minutes=0)
        self._contract = contract_on("page_views", home / "contracts", broker.topic(partitions=2))
        self._layer = replace(SESSIONS, trigger_seconds=0, longest_window_minutes=40)
        self._midnight = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=24)

    def view(self, visitor: str, minutes: float) -> View:
        at = self._midnight + timedelta(milliseconds=round(60_000 * minutes))
        return View(f"{visitor} {minutes}", visitor, f"/{minutes}", at)

    def send(self, views: Iterable[View]) -> None:
        """Send views, and as many bad ones, in this order and at their own times."""
        for view in views:
            moment = round(view.at.timestamp() * 1000)
            good = {"view_id": view.id, "visitor_id": view.visitor, "page": view.page, "ts": moment}
            for each in (good, good | {"page": None}):
                self._producer.produce(self._contract.topic, json.dumps(each), partition=0, timestamp=moment)
        assert self._producer.flush(30) == 0

    @contextmanager
    def running(self) -> Iterator[StreamState]:
        stream = SpeedStream(self._layer, {"page_views": self._contract}, self.settings)
        state = StreamState(stream, "running", query=stream.start(self._spark))
        assert state.query
        try:
            yield state
        finally:
            state.query.stop()

    def land(self, state: StreamState, *views: View) -> Sequence[Session]:
        """Send views, let the stream take them, and give the table."""
        assert state.query
        self.send(views)
        state.query.processAllAvailable()
        rows = DeltaTable(self.settings.table("speed", self._layer.name)).to_pyarrow_table()
        assert rows["is_final"].to_pylist() == [False] * len(rows)
        return in_order(rows.drop_columns(["is_final", "updated_at"]).to_pylist())


@pytest.fixture
def site(tmp_path: Path, kafka: Broker, spark: SparkSession) -> Site:
    return Site(tmp_path, kafka, spark)


def walks(site: Site, visitors: str, last: int) -> Sequence[View]:
    """Let every visitor open pages until the last minute, often with a pause of about the gap."""
    random = Random(7)
    views = []
    for visitor in visitors:
        minutes = random.random()
        while minutes < last:
            views.append(site.view(visitor, minutes))
            minutes += random.choice([1, 1, 5, 29.9, 30, 30.1, 70])
    return sorted(views, key=lambda view: view.at)


def test_sessions_are_exact_over_a_restart_and_late_views_change_none(site: Site) -> None:
    views = walks(site, "abcdefgh", 600)
    half = len(views) // 2
    with site.running() as state:
        assert len(site.land(state, *views[:half], *views[:half:3])) > 5
    with site.running() as state:
        # Views come up to ten minutes out of order, some again
        shuffled = sorted(
            [*views[half:], *views[half::3]], key=lambda view: view.at + 5 * MINUTE * Random(view.id).random()
        )
        site.land(state, *shuffled)
        due = sessions_by_hand(views)
        assert site.land(state, site.view("clock", 680)) == due
        assert len(due) > 30
        # The watermark is at 670: the first is long over, the other one's session would not be
        assert site.land(state, site.view("new", 130), site.view("a", 669)) == due
        clock = sessions_by_hand([site.view("clock", 680)])
        assert site.land(state, site.view("clock", 760)) == in_order([*due, *clock])
        assert described(state)["numRowsDroppedByWatermark"] == 2


def test_a_deleted_checkpoint_rebuilds_open_sessions_and_leaves_those_that_are_closed_or_cut(site: Site) -> None:
    bot = [site.view("bot", minutes) for minutes in range(300, 520, 20)]
    views = [site.view("a", 200), site.view("a", 210), site.view("clock", 300)]
    views += [site.view("b", 440), site.view("b", 450), site.view("c", 445), site.view("c", 465)]
    views += [site.view("d", 490), site.view("d", 505), site.view("clock", 510)]
    with site.running() as state:
        closed = site.land(state, *sorted([*views, *bot], key=lambda view: view.at))
        assert [session["visitor_id"] for session in closed] == ["a", "b", "c", "clock"]
        assert site.land(state, site.view("b", 460)) == closed  # too late for its session, which c's outlives
    shutil.rmtree(site.settings.checkpoint("sessions"))
    # The newest session began at 445. So what began before 355 can't be open, and is read from half an hour before: the
    # bot was there for longer, and would seem to begin at 340.
    with site.running() as state:
        assert site.land(state) == closed
        assert site.land(state, site.view("clock", 600)) == sessions_by_hand(views)
