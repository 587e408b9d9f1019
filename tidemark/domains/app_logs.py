"""Log lines: a dozen services say what they do; rarely one of them has a fit of errors."""

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from itertools import accumulate
from random import Random
from types import MappingProxyType

from tidemark.domains.any import moment
from tidemark.domains.event import Event

WIRES = frozenset({"log_id", "service", "level", "message", "host", "trace_id", "timestamp"})

_SERVICES = (
    *("api", "auth", "billing", "cart", "catalog", "dispatch", "email", "gateway", "maps", "payments", "search"),
    "users",
)
_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SHARES = list(accumulate((0.18, 0.7, 0.09, 0.0295, 0.0005)))
_HOSTS = 4  # of each service
_WITH_HOST, _TRACED = 0.95, 0.6
_FIT = 0.0004  # how often a line begins a fit
_FIT_LINES = 60, 240
_FIT_SHARE = 0.6  # of the lines while it lasts
# What a line says; the words in braces are drawn, so that only the rest of it tells what happened
_SAID: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "DEBUG": (
            "cache hit for key user:{number} in {small} ms",
            "pool has {small} of 50 connections in use",
            "retry {small} scheduled for job {id}",
        ),
        "INFO": (
            "GET /v1/orders/{number} 200 in {small} ms",
            "POST /v1/rides 201 in {small} ms from {address}",
            "user {number} signed in from {address}",
            "job {id} finished in {number} ms",
            "published {small} messages to partition {small}",
        ),
        "WARN": (
            "slow query: {number} ms for statement {id}",
            "rate limit reached for {address}: {number} requests",
            "token of user {number} expires in {small} s",
        ),
        "ERROR": (
            "request {id} failed: upstream {address} timed out after {number} ms",
            "could not charge payment {id}: card declined with code {small}",
            "NullPointerException in OrderService.java:{number} for order {id}",
            "deadlock found when trying to get lock on row {number}; transaction {id} rolled back",
        ),
        "FATAL": (
            "out of memory: heap of {number} MB is full, shutting down",
            "lost the leader of shard {small} at {address}, giving up",
        ),
    }
)
_DRAWN = re.compile(r"\{(\w+)\}")


class AppLogs:
    """The log lines of one platform. The Kafka key is the service."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._ill = ""
        self._complaint = ""
        self._fit_lines = 0
        self._draw: Mapping[str, Callable[[], str]] = {
            "number": lambda: str(100 + int(random.random() * 50_000)),
            "small": lambda: str(1 + int(random.random() * 49)),
            "id": lambda: f"{random.getrandbits(48):012x}",
            "address": lambda: f"10.{int(random.random() * 8)}.{int(random.random() * 256)}.{random.getrandbits(8)}",
        }

    def event(self, now: int, age: int) -> Event:
        """Let one of the services log a line."""
        random = self._random
        service, level, said = self._line()
        fields = {
            "log_id": f"{random.getrandbits(96):024x}",
            "service": service,
            "level": level,
            "message": _DRAWN.sub(lambda word: self._draw[word[1]](), said),
            "timestamp": moment(now - age - int(random.random() * 1000), None),
        }
        if random.random() < _WITH_HOST:
            fields["host"] = f"{service}-{int(random.random() * _HOSTS)}"
        if random.random() < _TRACED:
            fields["trace_id"] = f"{random.getrandbits(128):032x}"
        return Event(fields, service.encode(), [])

    def _line(self) -> tuple[str, str, str]:
        random = self._random
        if not self._fit_lines and random.random() < _FIT:
            self._ill, self._complaint = random.choice(_SERVICES), random.choice(_SAID["ERROR"])
            self._fit_lines = random.randint(*_FIT_LINES)
        if self._fit_lines:
            self._fit_lines -= 1
            if random.random() < _FIT_SHARE:
                return self._ill, "ERROR", self._complaint
        level = _LEVELS[bisect_left(_SHARES, random.random() * _SHARES[-1])]
        return random.choice(_SERVICES), level, random.choice(_SAID[level])
