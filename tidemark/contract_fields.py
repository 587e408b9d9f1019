"""The kinds of text and number that a contract's fields hold, and how one that fits nowhere says so."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tidemark.names import NAME, TOPIC, is_name, is_topic
from tidemark.patterns import unlike_in_java

_WITHIN = re.compile(r"(\d+) (second|minute|hour|day)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Misfit(ValueError):
    """Fields do not fit together; `where` is the one to look at, from the part that was validated."""

    def __init__(self, what: str, *where: str | int) -> None:
        super().__init__(what)
        self.where = where


class Part(BaseModel):
    """A part of a contract: frozen, and without fields that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def seconds_within(text: str) -> int:
    """Read a duration like '15 minutes'; 0 where the text is none."""
    match = _WITHIN.fullmatch(text)
    return int(match[1]) * _SECONDS[match[2]] if match else 0


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"allowed is a name like {NAME}")
    return text


def _topic(text: str) -> str:
    if not is_topic(text):
        raise ValueError(f"allowed is a topic name like {TOPIC}")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"allowed is a regular expression; {error}") from None
    unlike = unlike_in_java(text)
    if unlike:
        raise ValueError(f"allowed is a regular expression that Python and Java read alike; {unlike!r} they do not")
    return text


def _within(text: str) -> str:
    if not seconds_within(text):
        raise ValueError("allowed is a duration like '15 minutes' (second, minute, hour or day), above 0")
    return text


Name = Annotated[str, AfterValidator(_name)]
Topic = Annotated[str, AfterValidator(_topic)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Within = Annotated[str, AfterValidator(_within)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
WireName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,127}$")]
