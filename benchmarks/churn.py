"""Measure what streams keep of keys that never come again: `python -m benchmarks.churn`

Every record has a key of its own, in every topic that a stateful stream reads. Its event time runs so fast that the
longest window and watermark (of `fraud_alerts`, twelve hours and ten minutes) are passed within the first half: after
that, what is kept must not grow.
"""

import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.lakehouse import MIB, Lakehouse, arguments_of, streaming
from benchmarks.report import page
from tidemark.contracts import read_contracts
from tidemark.domains.event import Encode, Fields
from tidemark.produce import encoder_of
from tidemark.settings import ROOT
from tidemark.status import memory_of

FASTER = 200  # event time than the clock
LOOK_SECONDS = 5.0
TICK_SECONDS = 0.05

_STATE_ROWS = "tidemark_stream_state_rows"
_CHUNK = 2000  # records at most between two looks at the clock


def _ride(key: str, at: int) -> Fields:
    return {"event_id": key, "user_id": key, "event_type": key, "amount": 1.0, "ts": at}


def _sale(key: str, at: int) -> Fields:
    return {"product_id": key, "quantity": 1, "revenue": 1.0, "customer_id": key, "timestamp": at}


def _view(key: str, at: int) -> Fields:
    return {"view_id": key, "visitor_id": key, "page": "/", "ts": at}


def _reading(key: str, at: int) -> Fields:
    return {"reading_id": key, "sensor_id": key, "metric": "temperature", "reading": 1.0, "ts": at}


def _line(key: str, at: int) -> Fields:
    when = datetime.fromtimestamp(at / 1000, UTC).isoformat()
    return {"log_id": key, "service": key, "level": "ERROR", "message": f"no {key}", "timestamp": when}


def _payment(key: str, at: int) -> Fields:
    who = {"payment_id": key, "card_id": key, "customer_id": key, "ride_event_id": key}
    return {**who, "amount": 1.0, "currency": "EUR", "country": "DE", "merchant": "books", "ts": at}


RECORDS: dict[str, Callable[[str, int], Fields]] = {
    "ride_events": _ride,
    "sales_events": _sale,
    "page_views": _view,
    "sensor_readings": _reading,
    "app_logs": _line,
    "card_payments": _payment,
}


@dataclass
class Quarter:
    """What was seen in a quarter of the time, at most."""

    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # of state, by stream
    memory: int = 0  # bytes
    checkpoints: int = 0  # bytes
    behind: int = 0  # offsets


class Load:
    """Records whose keys never come again, to every topic in turns."""

    def __init__(self, lakehouse: Lakehouse, seconds: float) -> None:
        contracts = read_contracts(lakehouse.settings.contracts_dir)
        self._encoders: list[tuple[str, Encode]] = [
            (name, encoder_of(contracts[name], lakehouse.settings)) for name in RECORDS
        ]
        self._producer = Producer({"bootstrap.servers": lakehouse.settings.bootstrap, "linger.ms": 50, "acks": "all"})
        self._first = time.time_ns() // 1_000_000 - round((FASTER - 1) * seconds * 1000)
        self.sent = 0

    def send(self, records: int, elapsed: float) -> None:
        """Send so many records of this moment."""
        at = self._first + round(FASTER * elapsed * 1000)
        for number in range(self.sent, self.sent + records):
            name, encode = self._encoders[number % len(self._encoders)]
            key = f"key-{number:09d}"
            self._producer.produce(name, encode(RECORDS[name](key, at)), key.encode())
        self.sent += records
        self._producer.poll(0)

    def end(self) -> None:
        """Wait until Kafka has all of them."""
        self._producer.flush(60)


def main() -> None:
    """Load, look and print."""
    arguments = arguments_of("churn", __doc__, rate=10_000, minutes=10)
    with streaming(arguments) as lakehouse:
        quarters, sent = _loaded(lakehouse, arguments.rate, arguments.minutes * 60)
    lines = _told(sent / (arguments.minutes * 60), arguments.minutes, quarters)
    page(ROOT / "benchmarks" / "churn.md", "Keys that never come again", "python -m benchmarks.churn", lines)


def _loaded(lakehouse: Lakehouse, rate: int, seconds: int) -> tuple[list[Quarter], int]:
    """Send at a steady rate, or as fast as can be; give what was seen, and how many were sent."""
    quarters = [Quarter() for _ in range(4)]
    load, began, looked = Load(lakehouse, seconds), time.monotonic(), 0.0
    while (elapsed := time.monotonic() - began) < seconds:
        load.send(min(_CHUNK, round(elapsed * rate) - load.sent), elapsed)
        if elapsed - looked >= LOOK_SECONDS:
            looked = elapsed
            _look(lakehouse, quarters[int(4 * elapsed / seconds)])
        time.sleep(TICK_SECONDS)
    load.end()
    return quarters, load.sent


def _look(lakehouse: Lakehouse, quarter: Quarter) -> None:
    """Note what is seen now."""
    with urllib.request.urlopen(f"http://127.0.0.1:{lakehouse.settings.streams_port}/metrics", timeout=30) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    for sample in (each for family in families if family.name == _STATE_ROWS for each in family.samples):
        name = sample.labels["stream"]
        quarter.rows[name] = max(quarter.rows[name], int(sample.value))
    quarter.memory = max(quarter.memory, memory_of(lakehouse.process()))
    quarter.checkpoints = max(quarter.checkpoints, lakehouse.checkpoint_bytes())
    quarter.behind = max(quarter.behind, lakehouse.lag())


def _told(rate: float, minutes: int, quarters: Sequence[Quarter]) -> list[str]:
    columns = " | ".join(f"quarter {number}" for number in range(1, 5))
    names = sorted({name for each in quarters for name, rows in each.rows.items() if rows})
    sizes = {
        "memory, MiB": [each.memory // MIB for each in quarters],
        "checkpoints, MiB": [each.checkpoints // MIB for each in quarters],
        "offsets behind, all streams": [each.behind for each in quarters],
        **{f"rows of state, {name}": [each.rows[name] for each in quarters] for name in names},
    }
    return [
        f"{minutes} minutes of {rate:,.0f} new keys a second over {len(RECORDS)} topics,",
        f"event time {FASTER} times as fast as the clock.",
        "",
        f"| at most | {columns} |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(f"| {what} | " + " | ".join(f"{size:,}" for size in each) + " |" for what, each in sizes.items()),
    ]


if __name__ == "__main__":
    main()
