"""The streams' process killed and hindered while records arrive: after each, the proof is clean."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.kafka import Broker, free_ports, running_broker
from tests.streams import ride, ride_contract, send, wait_until
from tidemark.ledger import Ledger, ends
from tidemark.settings import ROOT
from tidemark.topics import Topics

pytestmark = pytest.mark.e2e

STREAM = "bronze_ride_events"
READY_SECONDS = 90


class Streams:
    """The streams' process over one topic, in a home of its own."""

    def __init__(self, home: Path, broker: Broker) -> None:
        self.broker = broker
        self.home = home
        self.topic = ride_contract(home / "contracts", broker.topic(partitions=2)).topic
        (self.port,) = free_ports(1)
        self.environment = os.environ | {
            "TIDEMARK_HOME": str(home),
            "TIDEMARK_CONTRACTS_DIR": str(home / "contracts"),
            "TIDEMARK_KAFKA_BOOTSTRAP": broker.bootstrap,
            "TIDEMARK_STREAMS_PORT": str(self.port),
            "TIDEMARK_STREAMS_MEMORY": "700m",
            "TIDEMARK_MAX_OFFSETS_PER_TRIGGER": "3000",  # many batches: many moments to die in
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *seam: str) -> None:
        module = ["tests.e2e.die_at_seam", *seam] if seam else ["streaming.run"]
        command = [sys.executable, "-m", *module, "--only", STREAM]
        with (self.home / "streams.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait(30)

    def kill_jvm(self) -> None:
        """Kill the process's JVM alone: the process can't go on and ends."""
        assert self.process
        (jvm,) = (each for each in psutil.Process(self.process.pid).children() if each.name() == "java")
        jvm.kill()
        assert self.process.wait(30) == 1, self.log()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def state(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/streams", timeout=5) as answer:
            (stream,) = json.load(answer)
            return dict(stream)

    def is_running(self) -> bool:
        try:
            return bool(self.state()["state"] == "running")
        except OSError:
            return False

    def await_running(self) -> None:
        wait_until(self.is_running, READY_SECONDS, f"running; {self.log()}")

    def await_more_than(self, records: int) -> None:
        wait_until(lambda: self.landed() > records, READY_SECONDS, f"records land; {self.log()}")

    def landed(self) -> int:
        newest = Ledger(str(self.home / "lake" / "bronze" / "ride_events")).newest_ingest()
        return sum(ends(newest.label.ranges).values()) if newest and newest.label else 0

    def sent(self) -> int:
        return sum(bound.high for bound in Topics(self.broker.bootstrap).bounds(self.topic).values())

    def prove(self) -> dict[str, Any]:
        command = [sys.executable, "-m", "tidemark", "prove", "ride_events", "--json", "--wait", "150"]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300)
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout)) | {"exit": done.returncode}

    def log(self) -> str:
        path = self.home / "streams.log"
        return path.read_text()[-2000:] if path.exists() else ""


@pytest.fixture
def streams(tmp_path: Path, kafka: Broker) -> Iterator[Streams]:
    streams = Streams(tmp_path, kafka)
    yield streams
    streams.stop()
    if streams.process and streams.process.poll() is None:
        streams.kill()


def assert_proven(streams: Streams, records: int) -> None:
    proof = streams.prove()
    assert (proof["verdict"], proof["exit"]) == ("proven", 0), proof
    assert (proof["landed_once"], proof["twice"], proof["lost"], proof["phantom"]) == (records, 0, 0, 0)


def kill_under_load(streams: Streams, times: int) -> None:
    """Kill the process, or every other time its JVM, at random moments while records arrive; start it again."""
    finished = threading.Event()
    sent = 0

    def load() -> None:
        nonlocal sent
        while not finished.is_set():
            send(streams.broker, streams.topic, (ride(sent + number) for number in range(500)))
            sent += 500
            finished.wait(0.3)

    chance = random.Random(times)
    loader = threading.Thread(target=load)
    loader.start()
    try:
        for time in range(times):
            before = streams.landed()
            streams.start()
            streams.await_more_than(before)
            finished.wait(chance.uniform(0, 1.5))  # the moment is left to chance: that is the test
            streams.kill_jvm() if time % 2 else streams.kill()
    finally:
        finished.set()
        loader.join()
    streams.start()
    assert_proven(streams, sent)


def test_killed_under_load_every_offset_lands_once(streams: Streams) -> None:
    kill_under_load(streams, times=2)


@pytest.mark.repeat
@pytest.mark.timeout(900)
def test_killed_ten_times_under_load_every_offset_lands_once(streams: Streams) -> None:
    kill_under_load(streams, times=10)


@pytest.mark.parametrize("seam", ["before", "after"])
def test_killed_at_a_seam_of_the_write_the_batch_lands_once(streams: Streams, seam: str) -> None:
    send(streams.broker, streams.topic, (ride(number) for number in range(6000)))
    streams.start(seam, "1")
    assert streams.process
    assert streams.process.wait(READY_SECONDS) == -signal.SIGKILL, streams.log()
    checkpoint = streams.home / "checkpoints" / STREAM
    assert (checkpoint / "offsets" / "1").exists()
    assert not (checkpoint / "commits" / "1").exists()
    ledger = Ledger(str(streams.home / "lake" / "bronze" / "ride_events"))
    newest = ledger.newest_ingest()
    assert newest and newest.label and newest.label.batch == (0 if seam == "before" else 1)
    streams.start()
    assert_proven(streams, 6000)


def test_deleted_checkpoint_folder_is_made_good_from_the_ledger(streams: Streams) -> None:
    send(streams.broker, streams.topic, (ride(number) for number in range(3000)))
    streams.start()
    wait_until(lambda: streams.landed() == 3000, READY_SECONDS, "all landed")
    streams.stop()
    shutil.rmtree(streams.home / "checkpoints")
    send(streams.broker, streams.topic, (ride(number) for number in range(3000, 4000)))
    streams.start()
    assert_proven(streams, 4000)


def kafka_away(home: Path, seconds: float) -> None:
    """Stop Kafka under a running stream for some seconds; the stream waits and resumes."""
    (home / "kafka").mkdir()
    with running_broker(home / "kafka") as broker:
        streams = Streams(home, broker)
        streams.start()
        try:
            streams.await_running()
            send(broker, streams.topic, (ride(number) for number in range(1000)))
            wait_until(lambda: streams.landed() == 1000, 60, "the first records land")
            broker.stop()
            threading.Event().wait(seconds)  # the outage itself
            broker.start()
            send(broker, streams.topic, (ride(number) for number in range(1000, 2000)))
            wait_until(lambda: streams.landed() == 2000, 120, f"it resumes; {streams.log()}")
            assert_proven(streams, 2000)
        finally:
            streams.stop()


def test_stream_waits_for_kafka_and_resumes(tmp_path: Path) -> None:
    kafka_away(tmp_path, seconds=10)


@pytest.mark.repeat
@pytest.mark.timeout(600)
def test_stream_waits_a_minute_for_kafka_and_resumes(tmp_path: Path) -> None:
    kafka_away(tmp_path, seconds=60)
