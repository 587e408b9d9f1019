"""Every way in which a bronze table can be wrong is found where it is, against a real Kafka."""

import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.kafka import Broker
from tests.proving import Change, House, Row, bad, producer, send, send_with_header
from tidemark import bronze

pytestmark = pytest.mark.services

LARGE = b"x" * 900_000
HEADERS: list[tuple[str, bytes | None]] = [("source", b"app"), ("source", None), ("source", b""), ("", b"no name")]
NULL_KEY, EMPTY_KEY, TOMBSTONE, EMPTY, WITH_HEADERS, BIG = range(5, 11)  # offsets of partition 0
RECORDS = 20


@pytest.fixture(scope="module")
def odd_topic(kafka: Broker) -> str:
    """Give a topic with every sort of record: 14 in partition 0, 6 in partition 1."""
    topic = kafka.topic(partitions=2, max_message_bytes="2000000")
    send(kafka, topic, 5, key=b"key")
    sender = producer(kafka)
    for record in (
        {"value": b"null key"},
        {"key": b"", "value": b"empty key"},
        {"key": b"tombstone", "value": None},
        {"key": b"empty value", "value": b""},
        {"key": b"headers", "value": b"v", "headers": HEADERS},
        {"key": b"big", "value": LARGE},
    ):
        sender.produce(topic, partition=0, **record)
        assert sender.flush(20) == 0
    send(kafka, topic, 3, headers=[])
    send(kafka, topic, 6, partition=1)
    return topic


@pytest.fixture
def odd(kafka: Broker, tmp_path: Path, odd_topic: str) -> House:
    """Make a house on the topic with every sort of record."""
    return House(tmp_path, kafka, odd_topic)


def test_a_table_that_has_every_record_once_is_proven(odd: House) -> None:
    odd.land()
    proof = odd.prove()
    assert (proof["verdict"], proof["exit"], proof["offsets"], proof["landed_once"]) == ("proven", 0, RECORDS, RECORDS)
    assert (proof["findings"], proof["why"], proof["notes"]) == ([], [], [])
    assert proof["quarantined"] == 10  # the odd offsets
    assert [each["tidemark"] for each in proof["partitions"]] == [14, 6]
    assert proof["complete_through"] is not None


def test_a_table_whose_files_were_merged_is_proven(odd: House) -> None:
    odd.land(ranges={0: (0, 7), 1: (0, 1)})
    odd.land()
    DeltaTable(odd.table).optimize.compact()
    assert odd.prove()["exit"] == 0


def without(*offsets: int) -> Change:
    return lambda rows: [row for row in rows if row[bronze.PARTITION] or row[bronze.OFFSET] not in offsets]


def with_a_copy_of(number: int, /, **changes: Any) -> Change:
    return lambda rows: [*rows, {**rows[number], **{f"_{name}": value for name, value in changes.items()}}]


def changed(number: int, /, **changes: Any) -> Change:
    def change(rows: list[Row]) -> list[Row]:
        spoiled = copy.copy(rows)
        spoiled[number] = {**rows[number], **{f"_{name}": value for name, value in changes.items()}}
        return spoiled

    return change


def later(number: int, /, **by: int) -> Change:
    return lambda rows: changed(number, kafka_time=rows[number][bronze.KAFKA_TIME] + timedelta(**by))(rows)


def both(first: Change, second: Change) -> Change:
    return lambda rows: second(first(rows))


BREACHES: dict[str, tuple[Change, set[tuple[str, int, int, int]]]] = {
    "lost": (without(3), {("lost", 0, 3, 4)}),
    "lost, three side by side": (without(3, 4, 5), {("lost", 0, 3, 6)}),
    "the first and the last lost": (without(0, 13), {("lost", 0, 0, 1), ("lost", 0, 13, 14)}),
    "all lost": (lambda _: [], {("lost", 0, 0, 14), ("lost", 1, 0, 6)}),
    "twice": (with_a_copy_of(3), {("twice", 0, 3, 4)}),
    "twice, one of them with other bytes": (with_a_copy_of(3, value=b"other"), {("twice", 0, 3, 4)}),
    "257 times": (lambda rows: rows + [rows[3]] * 256, {("twice", 0, 3, 4)}),
    "one lost and one twice": (both(with_a_copy_of(9), without(3)), {("lost", 0, 3, 4), ("twice", 0, 9, 10)}),
    "one byte of the value": (changed(0, value=b"value 1"), {("altered", 0, 0, 1)}),
    "one byte of 900 KB": (changed(BIG, value=LARGE[:-1] + b"y"), {("altered", 0, BIG, BIG + 1)}),
    "value for null": (changed(TOMBSTONE, value=b""), {("altered", 0, TOMBSTONE, TOMBSTONE + 1)}),
    "null for empty value": (changed(EMPTY, value=None), {("altered", 0, EMPTY, EMPTY + 1)}),
    "key for null": (changed(NULL_KEY, key=b""), {("altered", 0, NULL_KEY, NULL_KEY + 1)}),
    "null for empty key": (changed(EMPTY_KEY, key=None), {("altered", 0, EMPTY_KEY, EMPTY_KEY + 1)}),
    "a byte moved from key to value": (changed(1, key=b"ke", value=b"yvalue 1"), {("altered", 0, 1, 2)}),
    "headers in another order": (
        changed(WITH_HEADERS, headers=[HEADERS[1], HEADERS[0], *HEADERS[2:]]),
        {("altered", 0, 9, 10)},
    ),
    "a header less": (changed(WITH_HEADERS, headers=HEADERS[:-1]), {("altered", 0, 9, 10)}),
    "null for an empty header": (
        changed(WITH_HEADERS, headers=[*HEADERS[:2], ("source", None), HEADERS[3]]),
        {("altered", 0, 9, 10)},
    ),
    "no headers": (changed(WITH_HEADERS, headers=None), {("altered", 0, 9, 10)}),
    "headers where there are none": (changed(2, headers=[("a", b"b")]), {("altered", 0, 2, 3)}),
    "a millisecond": (later(2, milliseconds=1), {("altered", 0, 2, 3)}),
    "a microsecond": (later(2, microseconds=1), {("altered", 0, 2, 3)}),
    "no time": (changed(2, kafka_time=None), {("altered", 0, 2, 3)}),
    "two records changed places": (
        both(changed(2, offset=4), lambda rows: changed(4, offset=2)(rows)),
        {("altered", 0, 2, 3), ("altered", 0, 4, 5)},
    ),
    "moved to a free place of another partition": (
        changed(8, partition=1),
        {("lost", 0, 8, 9), ("phantom", 1, 8, 9)},
    ),
    "moved to a taken place of another partition": (changed(2, partition=1), {("lost", 0, 2, 3), ("twice", 1, 2, 3)}),
    "beyond the end": (with_a_copy_of(3, offset=99), {("phantom", 0, 99, 100)}),
    "before the beginning": (with_a_copy_of(3, offset=-7), {("phantom", 0, -7, -6)}),
    "in a partition that is not there": (with_a_copy_of(3, partition=7), {("phantom", 7, 3, 4)}),
    "of another topic": (with_a_copy_of(3, topic="other"), {("phantom", 0, 3, 4)}),
    "of no topic": (changed(3, topic=None), {("lost", 0, 3, 4), ("phantom", 0, 3, 4)}),
    "at no offset": (changed(3, offset=None), {("lost", 0, 3, 4), ("phantom", 0, -1, 0)}),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_found_where_it_is(odd: House, breach: str) -> None:
    change, expected = BREACHES[breach]
    odd.land(change)
    proof = odd.prove()
    assert (proof["verdict"], proof["exit"]) == ("broken", 1)
    assert bad(proof) == expected
    first_bad = min((start for _, part, start, _ in expected if part == 0 and start >= 0), default=14)
    marks = {each["partition"]: each["tidemark"] for each in proof["partitions"]}
    if breach != "of another topic":
        assert marks[0] == min(first_bad, 14)
    counts = {kind: proof[kind] for kind in ("twice", "lost", "altered", "phantom")}
    assert counts == {kind: sum(end - start for each, _, start, end in expected if each == kind) for kind in counts}


def test_rows_from_an_export_are_no_phantoms(odd: House) -> None:
    odd.land(with_a_copy_of(3, topic="export:0123", offset=1))
    assert odd.prove()["exit"] == 0


def test_what_a_breach_leaves_sound_is_still_certified(odd: House) -> None:
    odd.land(without(3))
    odd.prove()
    rows = DeltaTable(odd.settings.table("ops", "certificates")).to_pyarrow_table().to_pylist()
    assert [(row["partition"], row["start_offset"], row["end_offset"], row["records"]) for row in rows] == [
        (1, 0, 6, 6)
    ]


def test_rows_that_the_files_statistics_hide_are_missed(odd: House) -> None:
    odd.land()
    odd.append([odd.records()[3]])
    log = Path(odd.table) / "_delta_log" / f"{1:020d}.json"
    log.write_text(log.read_text().replace(r"\"_offset\":3", r"\"_offset\":77"))
    proof = odd.prove()
    assert (proof["verdict"], proof["exit"]) == ("unknown", 2) and "statistics" in proof["why"][0]


def test_a_row_that_the_ledger_claims_beyond_kafkas_end_is_a_phantom(odd: House) -> None:
    odd.land(with_a_copy_of(3, offset=50), ranges={0: (0, 99), 1: (0, 6)})
    assert bad(odd.prove()) == {("phantom", 0, 50, 51)}


def test_a_record_whose_header_has_an_unreadable_name_is_altered_and_no_other_is(kafka: Broker, tmp_path: Path) -> None:
    h = House(tmp_path, kafka, kafka.topic())
    send(kafka, h.topic, 2, headers=HEADERS)
    send_with_header(kafka, h.topic, b"\xff\xfe")
    send_with_header(kafka, h.topic, b"readable")
    h.land()
    assert bad(h.prove()) == {("altered", 0, 2, 3)}
