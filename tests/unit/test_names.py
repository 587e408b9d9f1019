"""Names: what is one, and that quoting lets nothing out."""

import pytest

from tidemark.names import is_name, is_topic, literal, quoted

pytestmark = pytest.mark.unit

LONGEST = "a" * 63
NO_NAMES = ["", "1st", "_own", "Rides", "ride-events", "ride.events", "ride events", "ride\n", "fährt", "a" * 64, "a`b"]


@pytest.mark.parametrize("text", ["a", "ride_events", "v2", "a_", LONGEST])
def test_a_name_is_lower_case_words_and_digits(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize("text", NO_NAMES)
def test_anything_else_is_no_name(text: str) -> None:
    assert not is_name(text)


@pytest.mark.parametrize("text", ["rides", "shop.public.customers", "ride-events", "a.b-c", ".".join([LONGEST] * 3)])
def test_a_topic_is_names_joined_by_dots_or_dashes(text: str) -> None:
    assert is_topic(text)


@pytest.mark.parametrize("text", ["", ".", "..", "a..b", "a.", "-a", "A", "a b", "a/b", "a.b\n", "a,b", "a.*"])
def test_anything_else_is_no_topic(text: str) -> None:
    assert not is_topic(text)


def test_a_topic_is_at_most_as_long_as_kafka_allows() -> None:
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 57])
    assert len(longest) == 249
    assert is_topic(longest)
    assert not is_topic(longest + "d")


def test_a_quoted_identifier_ends_where_it_should() -> None:
    assert quoted("delta", "/lake/a") == "`delta`.`/lake/a`"
    assert quoted("a`; DROP TABLE b; --") == "`a``; DROP TABLE b; --`"


def test_a_literal_ends_where_it_should() -> None:
    assert literal("it's") == r"'it\'s'"
    assert literal("\\'") == r"'\\\''"
    assert literal("plain") == "'plain'"
