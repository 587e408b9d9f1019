"""Measure what streams keep of keys that never come again: `python -m benchmarks.churn [STREAM ...]`

Each stream that remembers anything is alone in a driver, in a home of its own; then all are in one (`all`). Every
record has a key of its own. Its event time runs so fast that the longest window and watermark (of `fraud_alerts`,
twelve hours and ten minutes) are passed within the first half: after that, what is kept must not grow.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import Producer

from benchmarks.lakehouse import MIB, Lakehouse, arguments_of, streaming
from benchmarks.report import page
from streaming.streams.changes import ChangeStream
from streaming.streams.layers import chosen, layers_of
from tidemark.contracts import read_contracts
from tidemark.domains.event import Encode, Fields
from tidemark.produce import encoder_of
from tidemark.settings import ROOT, Settings
from tidemark.status import memory_of

ALL = "all"
FASTER = 200  # event time than the clock
LOOK_SECONDS = 5.0
TICK_SECONDS = 0.05

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

    rows: int = 0  # of state
    memory: int = 0  # bytes
    checkpoints: int = 0  # bytes
    behind: int = 0  # offsets


@dataclass(frozen=True)
class Run:
    """What was seen of one driver."""

    rate: float  # new keys a second
    quarters: Sequence[Quarter]


class Load:
    """Records whose keys never come again, to every topic in turns."""

    def __init__(self, settings: Settings, names: Sequence[str], seconds: float) -> None:
        contracts = read_contracts(settings.contracts_dir)
        self._encoders: list[tuple[str, Encode]] = [(name, encoder_of(contracts[name], settings)) for name in names]
        self._producer = Producer({"bootstrap.servers": settings.bootstrap, "linger.ms": 50, "acks": "all"})
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
    """Load, look and print, after each driver what was seen so far."""
    arguments = arguments_of("churn", __doc__, rate=10_000, minutes=10, streams=True)
    settings = Settings.load()
    contracts = read_contracts(settings.contracts_dir)
    layers = {layer.name: layer for layer in layers_of(contracts)}
    runs = {}
    for name in arguments.streams or [*layers, ALL]:
        topics, only = tuple(RECORDS), []
        if name != ALL:
            (layer,) = chosen(list(layers.values()), [name])
            topics = layer.contracts
            only = [layer.name, *(ChangeStream(contracts[each], settings).name for each in layer.tables)]
        with streaming(arguments, only) as lakehouse:
            runs[name] = _loaded(lakehouse, topics, arguments.rate, arguments.minutes * 60)
        lines = _told(arguments.minutes, runs)
        page(ROOT / "benchmarks" / "churn.md", "Keys that never come again", "python -m benchmarks.churn", lines)


def _loaded(lakehouse: Lakehouse, topics: Sequence[str], rate: int, seconds: int) -> Run:
    """Send at a steady rate, or as fast as can be; give what was seen."""
    quarters = [Quarter() for _ in range(4)]
    load, began, looked = Load(lakehouse.settings, topics, seconds), time.monotonic(), 0.0
    while (elapsed := time.monotonic() - began) < seconds:
        load.send(min(_CHUNK, round(elapsed * rate) - load.sent), elapsed)
        if elapsed - looked >= LOOK_SECONDS:
            looked = elapsed
            _look(lakehouse, quarters[int(4 * elapsed / seconds)])
        time.sleep(TICK_SECONDS)
    load.end()
    return Run(load.sent / seconds, quarters)


def _look(lakehouse: Lakehouse, quarter: Quarter) -> None:
    """Note what is seen now."""
    quarter.rows = max(quarter.rows, round(lakehouse.state_rows() or 0))
    quarter.memory = max(quarter.memory, memory_of(lakehouse.process()))
    quarter.checkpoints = max(quarter.checkpoints, lakehouse.checkpoint_bytes())
    quarter.behind = max(quarter.behind, lakehouse.lag())


def _told(minutes: int, runs: Mapping[str, Run]) -> list[str]:
    lines = [
        f"{minutes} minutes each, event time {FASTER} times as fast as the clock.",
        "Each cell: at most, by quarter of the time.",
        "",
        "| stream | new keys/s | rows of state | memory, MiB | checkpoints, MiB | offsets behind |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, run in runs.items():
        sizes = (
            [each.rows for each in run.quarters],
            [each.memory // MIB for each in run.quarters],
            [each.checkpoints // MIB for each in run.quarters],
            [each.behind for each in run.quarters],
        )
        cells = " | ".join(" ".join(f"{size:,}" for size in each) for each in sizes)
        lines.append(f"| {name} | {run.rate:,.0f} | {cells} |")
    return lines


if __name__ == "__main__":
    main()
