"""Patterns: what Python and Java do not read alike is refused, all else is let through."""

import pytest

from tidemark.patterns import unlike_in_java

pytestmark = pytest.mark.unit

ALIKE = [
    *("", "abc", r"[a-z]{3,5}\d+", r"^(?:DE|AT)\w{2}$", r"(foo|ba[rz])+?", r"[^\s,]{4}", r"[\w.+-]+@[\w-]+", r"a\\[b]"),
    *(r"(?<=a)b(?!c)", r"\u00e4\x41", r"(a)\1", r"[\]\[]", r"[^\^]", "[{}]", r"\{a\}", "a{2}b{2,}", "(?:[ab])", "a&&b"),
]
UNLIKE = [
    *[("(?P<year>a)", "(?P"), ("(?i)a", "(?i"), ("(?#c)a", "(?#"), ("(a)(?(1)b)", "(?("), ("a{,3}", "{,3}")],
    *[("a{b", "{b"), ("[]a]", "[]"), ("[^]a]", "[^]"), ("[a[b]", "[a[b]"), ("(?:[a&&b])", "[a&&b]")],
    *[(r"a\Z", r"\Z"), (r"\0", r"\0"), (r"(?:\v)", r"\v"), (r"[\a]", r"[\a]"), (r"\N{DASH}", r"\N")],
]


@pytest.mark.parametrize("pattern", ALIKE)
def test_what_both_read_alike_is_let_through(pattern: str) -> None:
    assert unlike_in_java(pattern) is None


@pytest.mark.parametrize(("pattern", "part"), UNLIKE)
def test_the_part_that_java_reads_otherwise_is_named(pattern: str, part: str) -> None:
    assert unlike_in_java(pattern) == part
