"""Offsets without a record: aborted, compacted, expired; each is accounted for, or it is said that it can't be."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.kafka import Broker
from tests.proving import House, bad, eventually, read_topic, send, transaction
from tidemark import bronze
from tidemark.kafka_records import KafkaRecords
from tidemark.spans import Span

pytestmark = pytest.mark.services

MakeHouse = Callable[..., House]


@pytest.fixture
def house(kafka: Broker, tmp_path: Path) -> MakeHouse:
    """Make a house with a topic of its own."""

    def make(partitions: int = 1, **config: str) -> House:
        return House(tmp_path, kafka, kafka.topic(partitions, **config))

    return make


def expired(house: MakeHouse, certified: bool = True) -> House:
    """Give a house with ten landed records of which Kafka has forgotten four."""
    h = house()
    send(h.broker, h.topic, 10)
    h.land()
    if certified:
        assert h.prove()["exit"] == 0
    h.expire(below=4)
    return h


def test_aborted_records_are_accounted_for(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 2)
    transaction(h.broker, h.topic, 3, commit=False)  # 2, 3, 4, and a marker at 5
    transaction(h.broker, h.topic, 2, commit=True)  # 6, 7, and a marker at 8, the last offset
    h.land()
    proof = h.prove()
    assert (proof["exit"], proof["landed_once"], proof["aborted"], proof["offsets"]) == (0, 4, 5, 9)


@pytest.mark.parametrize("copies", [1, 2])
def test_a_row_of_an_aborted_record_is_a_phantom(house: MakeHouse, copies: int) -> None:
    h = house()
    transaction(h.broker, h.topic, 3, commit=False)
    send(h.broker, h.topic, 2)
    aborted = read_topic(h.broker, h.topic, {0: 0}, "read_uncommitted")[1]
    h.land(lambda rows: rows + [aborted] * copies)
    proof = h.prove()
    assert (proof["exit"], bad(proof)) == (1, {("phantom", 0, 1, 2)})


def test_expired_offsets_are_proven_by_a_certificate(house: MakeHouse) -> None:
    h = expired(house)
    proof = h.prove()
    assert (proof["exit"], proof["landed_once"], proof["expired"]) == (0, 10, 0)
    assert h.prove()["exit"] == 0  # the certificate is carried over


def test_expired_offsets_without_a_certificate_are_unknown(house: MakeHouse) -> None:
    h = expired(house, certified=False)
    proof = h.prove()
    assert (proof["verdict"], proof["exit"], proof["expired"], bad(proof)) == ("unknown", 2, 4, {("expired", 0, 0, 4)})


@pytest.mark.parametrize(
    ("predicate", "again", "verdict"),
    [("_offset = 2", False, "unknown"), ("_offset = 2", True, "broken"), ("_offset = 7", False, "broken")],
)
def test_a_certificate_does_not_vouch_for_rows_that_changed(
    house: MakeHouse, predicate: str, again: bool, verdict: str
) -> None:
    h = expired(house)
    if again:
        rows = DeltaTable(h.table).to_pyarrow_table().to_pylist()
        h.append(row for row in rows if row[bronze.OFFSET] == 2)
    else:
        DeltaTable(h.table).delete(predicate)
    proof = h.prove()
    assert (proof["verdict"], proof["expired"]) == (verdict, 3 if again else 4)


def test_what_expired_before_it_was_taken_is_unknown(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 10)
    h.land(ranges={0: (0, 3)})
    h.expire(below=6)
    proof = h.prove()
    assert bad(proof) == {("expired", 0, 0, 6), ("pending", 0, 6, 10)} and proof["exit"] == 2


def test_records_older_than_the_ledger_are_lost(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 10)
    h.land(ranges={0: (4, 10)})
    assert bad(h.prove()) == {("lost", 0, 0, 4)}


def test_a_compacted_topic_is_proven(house: MakeHouse) -> None:
    quick = {"segment_ms": "100", "min_cleanable_dirty_ratio": "0.001", "max_compaction_lag_ms": "100"}
    h = house(cleanup_policy="compact", **quick)
    send(h.broker, h.topic, 20, key=b"key")
    h.land()
    time.sleep(0.2)  # what is written after segment.ms begins a new segment, and old ones are compacted
    send(h.broker, h.topic, 1, key=b"key")
    h.land()
    eventually(lambda: len(h.records()) < 21)
    proof = h.prove()
    assert proof["exit"] == 0 and proof["compacted"] > 0
    assert proof["compacted"] + proof["landed_once"] == proof["offsets"]


def test_a_row_of_an_aborted_record_is_a_phantom_on_a_compacted_topic_too(house: MakeHouse) -> None:
    h = house(cleanup_policy="compact")
    transaction(h.broker, h.topic, 3, commit=False)
    send(h.broker, h.topic, 2, key=b"key")
    aborted = read_topic(h.broker, h.topic, {0: 0}, "read_uncommitted")[0]
    h.land(lambda rows: [*rows, aborted])
    assert bad(h.prove()) == {("phantom", 0, 0, 1)}


def test_reading_goes_on_where_retention_overtook_it(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 10)
    h.expire(below=4)
    kafka = KafkaRecords(h.broker.bootstrap, h.topic)
    offsets = [offset for batch in kafka.committed([Span(0, 1, 8)]) for offset in batch.offsets.tolist()]
    assert offsets[:4] == [4, 5, 6, 7] and kafka.lows() == {0: 4}


def test_reading_may_begin_inside_of_an_aborted_transaction(house: MakeHouse) -> None:
    h = house()
    transaction(h.broker, h.topic, 5, commit=False)
    send(h.broker, h.topic, 2)
    kafka = KafkaRecords(h.broker.bootstrap, h.topic)
    sides = {"committed": kafka.committed([Span(0, 3, 8)]), "written": kafka.written([Span(0, 3, 8)])}
    offsets = {side: [at for batch in batches for at in batch.offsets.tolist()] for side, batches in sides.items()}
    assert offsets == {"committed": [6, 7], "written": [3, 4, 6, 7]}
