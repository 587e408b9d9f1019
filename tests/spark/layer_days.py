"""Days of the speed layer: records around one, and what plain Python says of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from streaming.speed import SpeedLayer
from streaming.streams.fraud_alerts import FRAUD_ALERTS
from streaming.streams.log_errors import LOG_ERRORS
from streaming.streams.ride_counts import RIDE_COUNTS
from streaming.streams.sensor_anomalies import SENSOR_ANOMALIES
from streaming.streams.sessions import SESSIONS
from tests.fraud import Payment
from tests.fraud import by_hand as fraud_by_hand
from tests.fraud import found as alerts_of
from tests.log_lines import Line, lines, rates_by_hand
from tests.sensors import Reading, minutes_by_hand
from tests.sessions import View, sessions_by_hand
from tests.windows import by_hand as rides_by_hand

DAY = date(2026, 1, 31)
START = datetime(2026, 1, 31, tzinfo=UTC)
END = START + timedelta(days=1)
MINUTE = timedelta(minutes=1)

Row = Mapping[str, Any]


def around_midnight(random: Random) -> datetime:
    """Draw a time within ten minutes of the day's begin or end."""
    return random.choice([START, END]) + timedelta(milliseconds=random.randrange(-600_000, 600_000))


def is_of_day(at: datetime) -> bool:
    return START <= at < END


@dataclass(frozen=True)
class Case:
    """A layer, records around its day, and what plain Python says of the day."""

    layer: SpeedLayer
    records: Sequence[Row]
    wrong: tuple[str, Any]  # a column that a stream got wrong, and what it has there
    seen: Callable[[Sequence[Row]], Any]
    due: Any

    @property
    def contract(self) -> str:
        return self.layer.contracts[0]


def rides() -> Case:
    random = Random(1)
    # Just before midnight, and in a window of the day that ends after it
    edges = [START - timedelta(milliseconds=1), START, END - timedelta(milliseconds=1), END + timedelta(seconds=20)]
    times = [*edges, *(around_midnight(random) for _ in range(200))]
    events = [(random.choice(["paid", "started"]), at) for at in times]
    records = [
        {"event_id": f"e{number}", "user_id": "u", "event_type": kind, "amount": 1.0, "event_time": at}
        for number, (kind, at) in enumerate(events)
    ]
    due = {count for count in rides_by_hand(events) if is_of_day(count[1])}
    return Case(RIDE_COUNTS, records, ("count_events", 10**6), counts_of, due)


def counts_of(rows: Sequence[Row]) -> Any:
    return {tuple(row[name] for name in ("event_type", "window_start", "window_end", "count_events")) for row in rows}


def sessions() -> Case:
    random = Random(2)
    views = [View(f"v{n}", f"visitor{n % 40}", f"/{n}", around_midnight(random)) for n in range(80)]
    views += [View(f"i{n}", "into", "/", START + (20 * n - 10) * MINUTE) for n in range(3)]
    # Begun on the day, and ended hours later than the layer looks ahead at first
    views += [View(f"l{n}", "long", "/", END + (20 * n - 60) * MINUTE) for n in range(30)]
    records = [{"view_id": v.id, "visitor_id": v.visitor, "page": v.page, "event_time": v.at} for v in views]
    due = [dict(each) for each in sessions_by_hand(views) if is_of_day(each["window_start"])]
    return Case(SESSIONS, [*records, records[0]], ("count_pages", 10**6), without_ours, due)


def sensors() -> Case:
    random = Random(3)
    made = [
        Reading(
            f"r{n}", f"s{n % 3}", "t", round(random.gauss(20, 0.5), 3) + 25 * (n % 40 == 0), around_midnight(random)
        )
        for n in range(600)
    ]
    due = {key: value for key, value in minutes_by_hand(made).items() if is_of_day(key[1])}
    return Case(SENSOR_ANOMALIES, [each._asdict() for each in made], ("count_readings", 10**6), minutes_of, due)


def minutes_of(rows: Sequence[Row]) -> Any:
    return {
        (row["sensor_id"], row["window_start"]): (
            row["count_readings"],
            row["count_baseline"],
            frozenset(each["reading_id"] for each in row["anomalies"]),
        )
        for row in rows
    }


def logs() -> Case:
    random = Random(4)
    logged: list[Line] = []
    for first in (START - 2 * MINUTE, END - 2 * MINUTE):
        logged += lines(random, 150, messages=12, first=first, within=4 * MINUTE)
    records = [
        {
            "log_id": f"l{n}",
            "service": line.service,
            "level": line.level,
            "message": line.message,
            "event_time": line.at,
        }
        for n, line in enumerate(logged)
    ]
    due = [dict(each) for each in rates_by_hand(logged) if is_of_day(each["window_start"])]
    wrong = {"fingerprint": "f", "message": "never said", "count_errors": 10**6}
    return Case(LOG_ERRORS, records, ("top_messages", [wrong]), without_ours, due)


def without_ours(rows: Sequence[Row]) -> Any:
    return [{name: value for name, value in row.items() if name not in ("is_final", "updated_at")} for row in rows]


def payments() -> Case:
    random = Random(5)
    noon = START - timedelta(hours=12)
    made = [
        Payment(f"p{n}", f"c{n % 25}", "u", random.choice(["DE", "US", "AU"]), noon + MINUTE * random.randrange(2880))
        for n in range(300)
    ]
    made += [Payment(f"b{n}", "burst", "u", "DE", END - timedelta(seconds=200 - 60 * n)) for n in range(9)]
    records = [{**each._asdict(), "amount": 1.0, "currency": "EUR", "merchant": "m"} for each in made]
    of_day = {each.payment_id for each in made if is_of_day(each.event_time)}
    due = {alert for alert in fraud_by_hand(made) if alert[0] in of_day}
    return Case(FRAUD_ALERTS, records, ("country", "ZZ"), lambda rows: alerts_of(map(dict, rows)), due)


CASES = [rides(), sessions(), sensors(), logs(), payments()]
