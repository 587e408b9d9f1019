"""Error rates by service and minute, worked out in plain Python."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from xxhash import xxh64_hexdigest

MINUTE = timedelta(minutes=1)
LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")

_SPARKS_SEED = 42

Rate = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """A log line; `said` is its message without its values, which `{}` stand for."""

    service: str
    level: str
    said: str
    values: tuple[str, ...]
    at: datetime

    @property
    def message(self) -> str:
        return self.said.format(*self.values)


def lines(random: Random, count: int, messages: int, first: datetime, within: timedelta) -> Sequence[Line]:
    """Draw log lines of three services; the first messages are more frequent than the last."""
    return [
        Line(
            random.choice(("api", "maps", "users")),
            random.choice(LEVELS),
            f"{chr(ord('a') + int(random.random() ** 2 * messages))} failed after {{}} ms at {{}}",
            (str(random.randrange(10**6)), f"10.0.{random.randrange(256)}.1"),
            first + timedelta(milliseconds=random.randrange(within // timedelta(milliseconds=1))),
        )
        for _ in range(count)
    ]


def rates_by_hand(logged: Iterable[Line]) -> Sequence[Rate]:
    """Count the lines, the errors and the error messages of each service and minute."""
    minutes: defaultdict[tuple[str, datetime], list[Line]] = defaultdict(list)
    for line in logged:
        minutes[line.service, line.at.replace(second=0, microsecond=0)].append(line)
    return in_order(_rate(service, start, some) for (service, start), some in minutes.items())


def in_order(rates: Iterable[Rate]) -> Sequence[Rate]:
    """Sort rates by their key."""
    return sorted(rates, key=lambda rate: (rate["service"], rate["window_start"]))


def _rate(service: str, start: datetime, logged: Sequence[Line]) -> Rate:
    said = Counter(line.said.format("<number>", "<ip>") for line in logged if line.level in ("ERROR", "FATAL"))
    messages: list[dict[str, Any]] = [
        {"fingerprint": xxh64_hexdigest(text.encode(), _SPARKS_SEED), "message": text, "count_errors": count}
        for text, count in said.items()
    ]
    return {
        "service": service,
        "window_start": start,
        "window_end": start + MINUTE,
        "count_logs": len(logged),
        "count_errors": said.total(),
        "error_rate": said.total() / len(logged),
        "top_messages": sorted(messages, key=lambda each: (-each["count_errors"], each["fingerprint"]))[:5],
    }
