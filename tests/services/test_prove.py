"""The proof against a real Kafka: what it proves, what it can't tell, and what it leaves behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tests.kafka import Broker
from tests.proving import House, bad, environment, run_prove, send, transaction
from tests.streams import wait_until
from tidemark import bronze
from tidemark.certificates import latest_tidemark
from tidemark.kafka_records import KafkaRecords
from tidemark.pins import CannotTell, Progress
from tidemark.prove import prove
from tidemark.settings import ROOT
from tidemark.spans import Span
from tidemark.topics import KafkaAway

pytestmark = pytest.mark.services

MakeHouse = Callable[..., House]


@pytest.fixture
def house(kafka: Broker, tmp_path: Path) -> MakeHouse:
    """Make a house with a topic of its own."""

    def make(partitions: int = 1, **config: str) -> House:
        return House(tmp_path, kafka, kafka.topic(partitions, **config))

    return make


def test_what_the_stream_has_not_taken_is_pending(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 5)
    h.land()
    send(h.broker, h.topic, 3)
    proof = h.prove()
    assert (proof["verdict"], proof["exit"], proof["pending"], proof["landed_once"]) == ("unknown", 2, 3, 5)
    assert bad(proof) == {("pending", 0, 5, 8)}
    assert proof["complete_through"] == last_time(h, 4)


def test_it_waits_for_the_stream(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 5)
    with ThreadPoolExecutor(1) as pool:
        proof = pool.submit(h.prove, "--wait", "20")
        time.sleep(0.5)
        h.land()
        assert proof.result()["exit"] == 0


def test_an_empty_topic_is_proven_once_it_has_a_table(house: MakeHouse) -> None:
    h = house()
    assert (h.prove()["exit"], h.prove()["table_version"]) == (2, None)
    h.append([])
    proof = h.prove()
    assert (proof["exit"], proof["offsets"], proof["table_version"]) == (0, 0, 0)


def test_a_row_without_a_ledger_entry_is_a_phantom(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 2)
    h.append(h.records())
    proof = h.prove()
    assert bad(proof) == {("phantom", 0, 0, 2), ("pending", 0, 0, 2)} and proof["exit"] == 1
    assert proof["notes"] == ["version 0: WRITE changed data without a label"]


def test_added_partitions_are_pending_and_then_proven(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 3)
    h.land()
    h.topics.add_partitions(h.topic, 3)
    assert h.prove()["exit"] == 0  # they are empty
    send(h.broker, h.topic, 2, partition=2)
    assert bad(h.prove()) == {("pending", 2, 0, 2)}
    h.land()
    assert h.prove()["exit"] == 0


def test_a_topic_made_anew_is_refused(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 3)
    h.land()
    h.topics.delete(h.topic)
    h.topics.ensure(h.topic, 1)
    proof = h.prove()
    assert proof["exit"] == 2 and "tidemark topic adopt ride_events" in proof["why"][0]


def test_a_file_that_is_gone_is_named(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 3)
    h.land()
    (file, *_) = Path(h.table).rglob("*.parquet")
    file.unlink()
    answer = run_prove(h.settings, h.contract.id, "--wait", "0")
    assert answer.exit_code == 2 and f"{file}: is gone" in answer.stderr


def test_a_log_without_its_first_commits_is_refused(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 3)
    h.append([])
    h.land()
    (Path(h.table) / "_delta_log" / f"{0:020d}.json").unlink()
    proof = h.prove()
    assert proof["exit"] == 2 and "first commits" in proof["why"][0]


def test_a_proof_leaves_a_tidemark_and_the_next_one_replaces_it(house: MakeHouse) -> None:
    h = house(partitions=2)
    assert latest_tidemark(h.settings, h.contract.id) is None
    send(h.broker, h.topic, 5)
    h.land()
    first = h.prove()
    DeltaTable(h.table).delete("_offset = 3")
    second = h.prove()
    mark = latest_tidemark(h.settings, h.contract.id)
    assert mark is not None and mark.origin.certificate_id == second["certificate_id"] != first["certificate_id"]
    assert (mark.verdict, mark.origin.table_version) == ("broken", 1)
    assert [(each.partition, each.tidemark) for each in mark.partitions] == [(0, 3), (1, 0)]
    assert mark.complete_through == datetime.fromisoformat(last_time(h, 2))
    assert latest_tidemark(h.settings, "another") is None


def test_an_open_transaction_holds_back_how_far_the_table_is_complete(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 3)
    open_one = transaction(h.broker, h.topic, 2, commit=None)
    h.land()
    proof = h.prove()
    assert (proof["exit"], proof["offsets"], proof["complete_through"]) == (0, 3, last_time(h, 2))
    open_one.abort_transaction(20)


def test_what_lands_while_it_waits_is_neither_missing_nor_too_much(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 5)

    def meddle(what: str) -> None:
        if what == "waiting for the stream":  # Kafka is pinned
            send(h.broker, h.topic, 3)
            h.land()

    proof = prove(h.settings, h.contract, 10, meddling(meddle)).as_json()
    assert (proof["verdict"], proof["offsets"], proof["landed_once"]) == ("proven", 5, 5)


def test_a_topic_made_anew_while_it_is_read_is_refused(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 5)
    h.land()

    def meddle(what: str) -> None:
        if what == "reading Kafka and bronze":
            h.topics.delete(h.topic)
            h.topics.ensure(h.topic, 1)
            send(h.broker, h.topic, 5)

    with pytest.raises(CannotTell, match="created again while it was read"):
        prove(h.settings, h.contract, 0, meddling(meddle))


def test_people_are_told_in_words(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 50)
    h.land(lambda rows: rows[::2])
    answer = run_prove(h.settings, h.contract.id, "--wait", "0")
    assert answer.exit_code == 1
    assert "lost: 25 offsets (0:[1,2), 0:[3,4), 0:[5,6) …) are in Kafka, but not in bronze" in answer.stdout
    assert answer.stdout.count("lost      0:[") == 20 and "… and more" in answer.stdout


def test_an_unknown_contract_is_no_broken_one(house: MakeHouse) -> None:
    answer = run_prove(house().settings, "no_such_contract")
    assert answer.exit_code == 2 and "allowed are ride_events" in answer.stderr


def test_a_proof_that_fails_is_no_broken_one(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 2)
    h.land()
    (file, *_) = Path(h.table).rglob("*.parquet")
    pq.write_table(pq.read_table(file).drop_columns("_key"), file)
    proof = h.prove()
    assert (proof["verdict"], proof["exit"]) == ("unknown", 2) and "_key" in proof["why"][0]


def test_an_interrupted_proof_is_no_broken_one(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 1)
    program = "import time; from tidemark.cli import main, prove; print('up', flush=True); main()"
    command = [sys.executable, "-c", program, "prove", h.contract.id, "--wait", "60"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(h.settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "up\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said.splitlines()[-1]) == (2, "ride_events: unknown: it was interrupted")


def test_nothing_is_told_while_kafka_is_away(house: MakeHouse) -> None:
    h = house()
    send(h.broker, h.topic, 10)
    h.land()
    kafka = KafkaRecords(h.broker.bootstrap, h.topic, patience=1.0)
    h.broker.stop()
    try:
        with pytest.raises(KafkaAway, match="tried to read topic"):
            list(kafka.committed([Span(0, 0, 10)]))
        proof = h.prove()
    finally:
        h.broker.start()
    assert (proof["verdict"], proof["exit"], proof["lost"]) == ("unknown", 2, None)
    assert "Kafka does not answer" in proof["why"][0]
    wait_until(lambda: h.prove()["exit"] == 0, 60, "Kafka has found itself again")


def meddling(act: Callable[[str], None]) -> Progress:
    """Do something at the moment at which progress is first shown."""

    @contextmanager
    def progress(what: str, _total: int) -> Iterator[Callable[[int], None]]:
        act(what)
        yield lambda _done: None

    return progress


def last_time(house: House, offset: int) -> str:
    """Give the Kafka time of a record as the proof writes it."""
    (time_of,) = (row[bronze.KAFKA_TIME] for row in house.records() if row[bronze.OFFSET] == offset)
    return str(time_of.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
