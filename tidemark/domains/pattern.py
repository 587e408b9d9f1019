"""Text that matches a regular expression.

The pattern's own syntax tree (as Python's `re` reads it) is walked: of alternatives and repetitions one is drawn. What
the walk doesn't know (look-around, back references, flags) it leaves out; every text is then matched against the
pattern, so that a wrong one never leaves here, and a pattern beyond this is refused when the maker is made.
"""

import re
from collections.abc import Callable, Iterable
from random import Random
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from tidemark.contracts import Column
from tidemark.errors import TidemarkError

Text = Callable[[], str]

_ATTEMPTS = 500
_MORE = 6  # how far beyond its least number an unbounded repetition goes
_WIDEST = 200  # how many letters of a range like \x00-\uffff are used
_PRINTABLE = frozenset(map(chr, range(32, 127)))
_DIGITS = frozenset("0123456789")
_WORD = frozenset(each for each in _PRINTABLE if each.isalnum() or each == "_")
_SPACE = frozenset(" ")
_CATEGORIES = {
    op.CATEGORY_DIGIT: _DIGITS,
    op.CATEGORY_NOT_DIGIT: _PRINTABLE - _DIGITS,
    op.CATEGORY_WORD: _WORD,
    op.CATEGORY_NOT_WORD: _PRINTABLE - _WORD,
    op.CATEGORY_SPACE: _SPACE,
    op.CATEGORY_NOT_SPACE: _PRINTABLE - _SPACE,
}


def text_maker(column: Column, random: Random) -> Text:
    """Make texts that match the column's pattern and keep to its maxLength.

    Raises:
        TidemarkError: none was found; the maker is tried once before it is given.
    """
    pattern = re.compile(column.pattern or "")
    longest = column.max_length or 1000
    draw = _sequence(parser.parse(column.pattern or ""), random)

    def make() -> str:
        for _ in range(_ATTEMPTS):
            text = draw()
            if len(text) <= longest and pattern.fullmatch(text):
                return text
        raise TidemarkError(
            f"column {column.name}: no text was found that matches {column.pattern!r} within {longest} characters",
            "write the pattern without look-around and back references, or list the values as an enum",
        )

    make()
    return make


def _sequence(nodes: Iterable[tuple[Any, Any]], random: Random) -> Text:
    parts = [_part(code, argument, random) for code, argument in nodes]
    return lambda: "".join(part() for part in parts)


def _part(code: Any, argument: Any, random: Random) -> Text:
    if code is op.LITERAL:
        return lambda: chr(argument)
    if code in (op.IN, op.NOT_LITERAL, op.ANY):
        letters = _letters(code, argument)
        return lambda: random.choice(letters) if letters else ""
    if code is op.BRANCH:
        branches = [_sequence(branch, random) for branch in argument[1]]
        return lambda: random.choice(branches)()
    if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        least, most, nodes = argument
        return _repeated(least, most, _sequence(nodes, random), random)
    if code in (op.SUBPATTERN, op.ATOMIC_GROUP):
        return _sequence(argument[-1] if code is op.SUBPATTERN else argument, random)
    return lambda: ""


def _repeated(least: int, most: int, one: Text, random: Random) -> Text:
    last = least + _MORE if most == op.MAXREPEAT else most
    return lambda: "".join(one() for _ in range(random.randint(least, last)))


def _letters(code: Any, argument: Any) -> list[str]:
    """List the letters that a class like `[a-z]`, `[^,]` or `.` stands for, in a fixed order."""
    if code is op.ANY:
        return sorted(_PRINTABLE)
    if code is op.NOT_LITERAL:
        return sorted(_PRINTABLE - {chr(argument)})
    named = frozenset[str]().union(*(_named(kind, value) for kind, value in argument))
    return sorted(_PRINTABLE - named if argument[0][0] is op.NEGATE else named)


def _named(kind: Any, value: Any) -> frozenset[str]:
    if kind is op.LITERAL:
        return frozenset(chr(value))
    if kind is op.RANGE:
        return frozenset(map(chr, range(value[0], min(value[1], value[0] + _WIDEST) + 1)))
    return _CATEGORIES.get(value, frozenset())
