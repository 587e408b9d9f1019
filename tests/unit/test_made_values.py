"""Values made from a column's type and limits alone."""

import re
from random import Random

import pytest

from tidemark.contracts import Column
from tidemark.domains.any import value_maker
from tidemark.errors import TidemarkError

pytestmark = pytest.mark.unit

NOW = 1_750_000_000_000
PATTERNS = [
    r"[a-z]{3,5}\d+",
    r"^(?:DE|AT|CH)\w{2}$",
    r"(foo|ba[rz])+?",
    r"[^\s,]{4}",
    r".{0,3}\.\S",
    r"(?:20[0-9]{2})-[01]x*",
    r"[\w.+-]+@[\w-]+\.[a-z]{2,}",
    r"\u00e4[à-ü]\D",
    r"",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_text_is_made_to_match_a_pattern(pattern: str) -> None:
    column = Column.model_validate({"name": "code", "logicalType": "string", "pattern": pattern, "maxLength": 60})
    make = value_maker(column, Random(1))
    texts = {make(NOW) for _ in range(200)}
    assert all(re.fullmatch(pattern, text) and len(text) <= 60 for text in texts)
    assert len(texts) > 2 or pattern == ""


@pytest.mark.parametrize(("pattern", "longest"), [(r"(a)(b)\2\1", 10), (r"a{20}", 10), (r"x(?=y)", 10)])
def test_a_pattern_that_is_too_hard_is_refused_with_the_way_out(pattern: str, longest: int) -> None:
    column = Column.model_validate({"name": "code", "logicalType": "string", "pattern": pattern, "maxLength": longest})
    with pytest.raises(TidemarkError, match=r"column code: no text was found .*\n  fix: .*enum"):
        value_maker(column, Random(1))


def test_limits_that_no_integer_meets_are_named() -> None:
    column = Column.model_validate({"name": "rooms", "logicalType": "integer", "minimum": 1.2, "maximum": 1.8})
    with pytest.raises(TidemarkError, match=r"column rooms: no integer is within 1\.2 and 1\.8"):
        value_maker(column, Random(1))


@pytest.mark.parametrize("limits", [{}, {"minimum": 7}, {"maximum": -7}, {"minimum": -0.5, "maximum": 0.5}])
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_numbers_keep_their_limits(kind: str, limits: dict[str, float]) -> None:
    make = value_maker(Column.model_validate({"name": "size", "logicalType": kind, **limits}), Random(1))
    values = [make(NOW) for _ in range(500)]
    assert all(limits.get("minimum", -2000) <= value <= limits.get("maximum", 2000) for value in values)
    assert all(type(value) is (int if kind == "integer" else float) for value in values)
