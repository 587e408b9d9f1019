"""Records become bronze rows: each bad one with its reasons, each good one with its values, none left out."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.spark.records import LANDED, LATEST, Judged, Record
from tidemark.contracts import read_contracts
from tidemark.settings import ROOT

pytestmark = pytest.mark.spark

MS = int(LANDED.timestamp() * 1000)
RIDE: Mapping[str, Any] = {"event_id": "e1", "user_id": "u1", "event_type": "paid", "amount": 1.5, "ts": MS}
KIB_900 = "x" * 900 * 1024


def ride(**changes: Any) -> bytes:
    return json.dumps({**RIDE, **changes}).encode()


def nested(levels: int, kind: str = "[]") -> bytes:
    """Give a ride with an unknown field of that many levels, in a document that is one more."""
    opening, closing = {"[]": (b"[", b"]"), "{}": (b'{"d":', b"}")}[kind]
    return ride()[:-1] + b',"d":' + opening * levels + b"1" + closing * levels + b"}"


GOOD_RIDES: dict[str, bytes] = {
    "plain": ride(),
    "without_spaces": json.dumps(RIDE, separators=(",", ":")).encode(),
    "with_more_spaces": json.dumps(RIDE, indent=4).encode(),
    "spaces_around": b" \t" + ride() + b"\r\n ",
    "fields_in_another_order": json.dumps(dict(sorted(RIDE.items(), reverse=True))).encode(),
    "an_unknown_field": ride(more={"deep": [1, None, "x"]}),
    "an_unknown_field_of_900_kb": ride(more=KIB_900),
    "an_unknown_field_named_like_a_column_inside": ride(more={"event_id": 5, "amount": "x"}),
    "a_column_named_in_text": ride(more='"event_id":"5","event_id":5'),
    "a_key_that_stands_twice_counts_as_its_last": b'{"event_id": 5, "event_id": "e0", ' + ride()[1:],
    "99_levels_inside": nested(99),
    "99_objects_inside": nested(99, "{}"),
    "many_brackets_but_few_levels": ride(more=[{"a": [1]}] * 200),
    "brackets_in_text": ride(more="[{" * 300),
    "brackets_in_text_behind_an_escaped_quote": ride(more='"' + "[" * 300),
    "fields_named_like_our_marks": ride(**{"~end~": True, "~corrupt~": ""}),
    "the_latest_time": ride(ts=int(LATEST.timestamp() * 1000)),
    "a_whole_number_as_amount": ride(amount=0),
    "a_zero_below_zero_as_amount": ride(amount=-0.0),
    "an_amount_too_small_for_a_double": ride(amount=0).replace(b'"amount": 0', b'"amount": 1e-400'),
}

# Text that looks like something else is text where it stands in quotes, in whatever order and spacing.
TEXTS = [
    "5",
    "-1.5",
    "true",
    "false",
    "null",
    "{}",
    "[1]",
    '{"a":1}',
    "",
    " ",
    'a"b\\',
    "é€😀",
    "\t\n\x00",
    "1e5",
    "NaN",
]
GOOD_RIDES |= {f"text_{number}": ride(user_id=text) for number, text in enumerate(TEXTS)}
GOOD_RIDES |= {f"tight_text_{n}": ride(user_id=text).replace(b": ", b":") for n, text in enumerate(TEXTS)}
GOOD_RIDES |= {
    f"raw_text_{n}": json.dumps({**RIDE, "user_id": text}, ensure_ascii=False).encode() for n, text in enumerate(TEXTS)
}
GOOD_RIDES |= {
    f"spread_text_{n}": ride(user_id=text).replace(b'"user_id":', b'"user_id"  :') for n, text in enumerate(TEXTS)
}

BAD_RIDES: dict[str, tuple[bytes | None, Sequence[str]]] = {
    # what the value is as a whole
    "tombstone": (None, ["tombstone"]),
    "empty": (b"", ["empty"]),
    "blank": (b"   ", ["empty"]),
    "truncated_in_text": (ride()[:30], ["malformed"]),
    "truncated_by_its_brace": (ride()[:-1], ["malformed"]),
    "truncated_in_its_last_number": (ride()[:-3], ["malformed"]),
    "another_end_than_its_brace": (ride()[:-1] + b"]", ["malformed"]),
    "truncated_after_an_inner_object": (ride()[:-1] + b', "o": {"p": 1}', ["malformed"]),
    "trailing_garbage": (ride() + b"xx", ["malformed"]),
    "trailing_garbage_with_a_brace": (ride() + b"x}", ["malformed"]),
    "trailing_garbage_behind_a_mark_like_ours": (ride()[:-1] + b', "~end~": true} x}', ["malformed"]),
    "trailing_garbage_behind_a_number_as_mark": (ride()[:-1] + b', "~end~": 1} x}', ["malformed"]),
    "trailing_garbage_behind_an_empty_mark": (ride()[:-1] + b', "~end~": null, "~corrupt~": ""} x}', ["malformed"]),
    "two_objects_with_marks": (2 * (ride()[:-1] + b', "~end~": true}'), ["malformed"]),
    "leading_garbage": (b"xx" + ride(), ["malformed"]),
    "two_objects": (ride() + ride(), ["malformed"]),
    "two_objects_in_two_lines": (ride() + b"\n" + ride(), ["malformed"]),
    "an_object_and_what_closes_our_own_frame": (ride() + b"],[{}", ["malformed"]),
    "single_quotes": (ride().replace(b'"', b"'"), ["malformed"]),
    "a_bare_key": (b"{event_id: 1}", ["malformed"]),
    "a_comment": (b"{/* why */" + ride()[1:], ["malformed"]),
    "a_comma_too_many": (ride()[:-1] + b",}", ["malformed"]),
    "a_control_character_in_text": (ride(user_id="u\x01").replace(b"\\u0001", b"\x01"), ["malformed"]),
    "a_byte_order_mark": (b"\xef\xbb\xbf" + ride(), ["malformed"]),
    "a_null_byte_behind": (ride() + b"\x00", ["malformed"]),
    "utf_16": (ride().decode().encode("utf-16"), ["encoding"]),
    "invalid_utf8_in_a_column": (ride(user_id="zz").replace(b"zz", b"\xff\xfe"), ["encoding"]),
    "invalid_utf8_in_an_unknown_field": (ride(more="zz").replace(b"zz", b"\xc3\x28"), ["encoding"]),
    "a_surrogate_in_utf8": (ride(user_id="zz").replace(b"zz", b"\xed\xa0\x80"), ["encoding"]),
    "an_array": (b"[" + ride() + b"]", ["not_object"]),
    "a_number": (b"5", ["not_object"]),
    "a_text": (b'"text"', ["not_object"]),
    "the_word_null": (b"null", ["not_object"]),
    "an_array_that_ends_in_a_brace_of_text": (b'["}', ["malformed"]),
    "an_empty_object": (
        b"{}",
        [f"missing:{name}" for name in ("event_id", "user_id", "event_type", "amount", "event_time")],
    ),
    "100_levels_inside": (nested(100), ["depth"]),
    "500_arrays_inside": (nested(500), ["depth"]),
    "500_objects_inside": (nested(500, "{}"), ["depth"]),
    "1500_levels_inside": (nested(1500), ["depth"]),
    "500_levels_with_something_closed_in_each": (
        ride()[:-1] + b',"d":' + b'{"e":[],"d":' * 500 + b"1" + b"}" * 500 + b"}",
        ["depth"],
    ),
    "500_levels_and_nothing_else": (b"[" * 500 + b"]" * 500, ["depth"]),
    # what a field is
    "missing": (json.dumps({k: v for k, v in RIDE.items() if k != "user_id"}).encode(), ["missing:user_id"]),
    "a_key_in_another_case": (ride().replace(b'"user_id"', b'"User_id"'), ["missing:user_id"]),
    "null": (ride(event_id=None), ["null:event_id"]),
    "null_as_number": (ride(amount=None), ["null:amount"]),
    "a_number_where_text_is_due": (ride(event_id=5), ["type:event_id"]),
    "a_number_where_text_is_due_and_the_same_text_inside": (
        b'{"o": {"event_id": "5"}, ' + ride(event_id=5)[1:],
        ["type:event_id"],
    ),
    "a_key_that_stands_twice_with_a_number_last": (b'{"event_id":"5",' + ride(event_id=5)[1:], ["type:event_id"]),
    "a_key_that_stands_again_escaped": (
        ride(event_id="5")[:-1] + b', "event\\u005fid": 5}',
        ["type:event_id"],
    ),
    "a_boolean_where_text_is_due": (ride(event_id=True), ["type:event_id"]),
    "an_object_where_text_is_due": (ride(event_id={"a": 1}), ["type:event_id"]),
    "an_array_where_text_is_due": (ride(event_id=["a"]), ["type:event_id"]),
    "text_where_a_number_is_due": (ride(amount="1.5"), ["type:amount"]),
    "text_that_names_no_number": (ride(amount="NaN"), ["type:amount"]),
    "a_fraction_where_milliseconds_are_due": (ride(ts=MS + 0.5), ["type:event_time"]),
    "text_where_milliseconds_are_due": (ride(ts=str(MS)), ["type:event_time"]),
    "many_things_at_once": (
        ride(amount="x", ts="y", user_id=None),
        ["null:user_id", "type:amount", "type:event_time"],
    ),
    # what its limits are
    "a_field_of_900_kb": (ride(user_id=KIB_900), ["length:user_id"]),
    "a_character_too_many": (ride(user_id="é" * 1001), ["length:user_id"]),
    "below_minimum": (ride(amount=-0.01), ["range:amount"]),
    "nan": (ride(amount=float("nan")), ["malformed", "range:amount"]),
    "infinity": (ride(amount=float("inf")), ["malformed", "range:amount"]),
    "minus_infinity": (ride(amount=float("-inf")), ["malformed", "range:amount"]),
    "too_large_for_a_double": (ride().replace(b"1.5", b"1e400"), ["range:amount"]),
    "too_many_digits_for_a_double": (ride().replace(b"1.5", b"9" * 400), ["range:amount"]),
    "milliseconds_beyond_64_bits": (ride(ts=2**63), ["type:event_time"]),
    "milliseconds_beyond_every_calendar": (ride(ts=2**63 - 1), ["range:event_time"]),
    "the_year_10000": (ride(ts=253_402_300_800_000), ["range:event_time", "future:event_time"]),
    "the_year_0": (ride(ts=-62_135_596_800_001), ["range:event_time"]),
    "ten_years_ahead": (ride(ts=MS + 10 * 365 * 86_400_000), ["future:event_time"]),
    "a_millisecond_too_far_ahead": (ride(ts=int(LATEST.timestamp() * 1000) + 1), ["future:event_time"]),
    "two_limits_at_once": (ride(amount=-1, ts=MS * 2), ["range:amount", "future:event_time"]),
}


@pytest.fixture(scope="module")
def rides(spark: SparkSession) -> Judged:
    records = {name: Record(value) for name, value in GOOD_RIDES.items()}
    records |= {name: Record(value) for name, (value, _) in BAD_RIDES.items()}
    return Judged(spark, read_contracts(ROOT / "contracts")["ride_events"], records)


def test_no_record_is_lost_doubled_or_altered(rides: Judged) -> None:
    rides.check_that_all_is_kept()
    assert len(rides.rows) > 140


@pytest.mark.parametrize("name", GOOD_RIDES)
def test_a_good_ride_has_its_values_and_no_errors(rides: Judged, name: str) -> None:
    sent = json.loads(GOOD_RIDES[name])
    assert rides.row[name]["_errors"] == []
    assert rides.columns(name) == {
        "event_id": sent["event_id"],
        "user_id": sent["user_id"],
        "event_type": sent["event_type"],
        "amount": sent["amount"],
        "event_time": datetime.fromtimestamp(sent["ts"] / 1000, UTC),
    }


@pytest.mark.parametrize("name", BAD_RIDES)
def test_a_bad_ride_says_every_reason_and_has_no_values(rides: Judged, name: str) -> None:
    assert rides.row[name]["_errors"] == list(BAD_RIDES[name][1])
    assert set(rides.columns(name).values()) == {None}
