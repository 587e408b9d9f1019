"""A plain Python judge of one contract's values: slow, and simple enough to be believed."""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from tests.spark.records import LATEST
from tidemark.bronze import MAX_DEPTH
from tidemark.contracts import Contract

CONTRACT = Contract.model_validate(
    {
        "id": "any_bytes",
        "owner": "tests",
        "description": "A column of each kind.",
        "topic": "any_bytes",
        "format": "json",
        "key": ["id"],
        "eventTime": "at",
        "schema": [
            {"name": "id", "logicalType": "string", "required": True, "maxLength": 6},
            {"name": "at", "logicalType": "timestamp", "required": True, "unit": "ms"},
            {"name": "n", "logicalType": "integer", "minimum": -5, "maximum": 10},
            {"name": "x", "logicalType": "number", "required": True, "minimum": -1.5, "maximum": 1e300},
            {"name": "b", "logicalType": "boolean"},
            {"name": "c", "logicalType": "string", "enum": ["red", "5", "true"]},
            {"name": "p", "logicalType": "string", "pattern": "[a-c]+|5"},
            {"name": "d", "logicalType": "date"},
            {"name": "t", "logicalType": "timestamp"},
        ],
    }
)


class Bad(Exception):
    """The value breaks the contract."""


class Document(dict[str, Any]):
    """A JSON object: of a key that stands twice the last value counts, but all must have the column's type."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def judged(value: bytes) -> dict[str, Any] | None:
    """Give the columns of a good value; None: it is bad."""
    try:
        document = json.loads(value.decode("utf-8"), parse_constant=refused, object_pairs_hook=Document)
        if not isinstance(document, Document) or depth(document) > MAX_DEPTH:
            return None
        for name, each in document.pairs:
            need(each is None or name not in TYPES or TYPES[name](each) is not None)
        return {name: read(document.get(name)) for name, read in READERS.items()}
    except (ValueError, RecursionError, Bad):
        return None


def refused(constant: str) -> float:
    raise Bad(constant)


def need(holds: bool) -> None:
    if not holds:
        raise Bad


def depth(part: object) -> int:
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def text(value: object) -> str:
    if not isinstance(value, str):
        raise Bad
    return value.encode("utf-8", "replace").decode()  # half a surrogate pair has no UTF-8: Java writes a ? too


def whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise Bad
    return value


def read_id(value: object) -> str:
    need(len(text(value)) <= 6)
    return text(value)


def read_at(value: object) -> datetime:
    found = moment(whole(value) * 1000)
    need(found <= LATEST)
    return found


def moment(micros: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    except OverflowError:
        raise Bad from None


def read_n(value: object) -> int | None:
    need(value is None or -5 <= whole(value) <= 10)
    return None if value is None else whole(value)


def number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Bad
    try:
        return float(value)
    except OverflowError:
        return math.inf


def read_x(value: object) -> float:
    need(-1.5 <= number(value) <= 1e300)
    return number(value)


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Bad
    return value


def read_b(value: object) -> bool | None:
    return None if value is None else boolean(value)


def read_c(value: object) -> str | None:
    need(value is None or value in ("red", "5", "true"))
    return None if value is None else text(value)


def read_p(value: object) -> str | None:
    need(value is None or re.fullmatch("[a-c]+|5", text(value)) is not None)
    return None if value is None else text(value)


def read_d(value: object) -> date | None:
    if value is None:
        return None
    need(re.fullmatch(r"\d{4}-\d\d-\d\d", text(value), re.ASCII) is not None)
    return date.fromisoformat(text(value))


_ISO = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


def read_t(value: object) -> datetime | None:
    if value is None:
        return None
    match = _ISO.fullmatch(text(value))
    if match is None:
        raise Bad
    day, minutes, seconds, fraction, zone = match.groups(default="")
    local = datetime.fromisoformat(f"{day}T{minutes or '00:00'}:{seconds or '00'}.{fraction[:6].ljust(6, '0')}")
    try:
        return local.replace(tzinfo=offset(zone)).astimezone(UTC)
    except OverflowError:
        raise Bad from None


def offset(zone: str) -> timezone:
    if zone in ("", "Z"):
        return UTC
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    need(minutes < 60 and hours * 60 + minutes <= 18 * 60)  # Java's limit
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(ahead if zone[0] == "+" else -ahead)


READERS = {
    "id": read_id,
    "at": read_at,
    "n": read_n,
    "x": read_x,
    "b": read_b,
    "c": read_c,
    "p": read_p,
    "d": read_d,
    "t": read_t,
}
TYPES: dict[str, Callable[[object], object]] = {"at": whole, "n": whole, "x": number, "b": boolean}
