"""A speed stream that is told wrong times, and whose topic goes: every row that is on time is counted, each once."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from streaming.health import described, serve_health
from streaming.host import StreamHost
from tests.exposition import STREAMS, catalogue, scraped, text_of
from tests.kafka import Broker, free_ports
from tests.services.test_ride_counts import House
from tests.streams import ride, send, wait_until
from tests.windows import by_hand
from tidemark.settings import Settings
from tidemark.topics import Topics

pytestmark = pytest.mark.services

MARK = "mark-4711"  # of payloads: no label may have it
HOUR, YEAR = 60, 366 * 24 * 60  # minutes


@pytest.fixture
def house(tmp_path: Path, kafka: Broker, spark: SparkSession) -> House:
    return House(tmp_path, kafka, spark)


@pytest.fixture
def host(house: House) -> Iterator[StreamHost]:
    with ExitStack() as owned:
        host = StreamHost(house.stream(), house.spark, owned)
        host.start()
        yield host
        host.stop()


def running(host: StreamHost) -> StreamingQuery:
    wait_until(lambda: host.state.query is not None, 30, "the stream runs")
    assert host.state.query
    return host.state.query


def test_neither_wrong_clocks_nor_late_rows_nor_a_lost_topic_cost_a_row_that_is_on_time(
    house: House, host: StreamHost
) -> None:
    query = running(host)
    send(house.broker, house.contract.topic, [MARK.encode(), ride(0, event_type=MARK, amount=-1)])
    house.send(40, minutes_ago=3)
    query.processAllAvailable()
    on_time = list(house.sent)
    for minutes_ago in (-HOUR, YEAR):
        house.send(20, minutes_ago=minutes_ago, within=0.1)
        query.processAllAvailable()  # the watermark follows
        house.send(40, minutes_ago=2)
        query.processAllAvailable()
        on_time += house.sent[-40:]
        assert house.table == by_hand(on_time)
    assert described(host.state)["numRowsDroppedByWatermark"] >= 1
    Topics(house.broker.bootstrap).delete(house.counts)
    before = house.table
    house.send(40, minutes_ago=1)
    query.processAllAvailable()
    on_time += house.sent[-40:]
    assert house.table == by_hand(on_time)
    assert house.topic == house.table - before
    assert (host.state.restarts, host.state.last_error) == (0, "")
    told_of(house, host)


def told_of(house: House, host: StreamHost) -> None:
    """See that the stream's metrics say what happened, and that they are those of the catalogue."""
    (port,) = free_ports(1)
    settings = Settings.model_validate({"home": house.settings.home, "TIDEMARK_STREAMS_PORT": port})
    with serve_health(settings, [host.state], house.spark):
        found, text = scraped(port), text_of(port)
    assert found.names == set(catalogue(STREAMS))
    for name, labels in found.label_names().items():
        assert catalogue(STREAMS)[name] == labels, name
    stream = host.state.name
    assert found.value("stream_state", stream=stream, state="running") == 1
    assert sum(found.by_label("stream_state", "state").values()) == 1
    assert found.value("stream_input_rows_total", stream=stream) == 2 * len(house.sent) + 2
    assert found.value("stream_late_rows_total", stream=stream) == host.state.listener.late_rows
    batches, ended = (found.value(f"stream_{name}", stream=stream) for name in ("batches_total", "batch_seconds_count"))
    assert 6 <= (batches or 0) <= (ended or 0)
    assert {"addBatch", "latestOffset", "walCommit"} <= set(found.by_label("stream_phase_seconds", "phase"))
    for name in ("state_rows", "watermark_timestamp_seconds"):
        assert (found.value(f"stream_{name}", stream=stream) or 0) > 0, name
    for name in ("state_bytes", "input_rows_per_second", "processed_rows_per_second"):
        assert found.value(f"stream_{name}", stream=stream) is not None, name
    assert time.time() - (found.value("stream_last_progress_timestamp_seconds", stream=stream) or 0) < 60
    assert 0 < (found.value("jvm_heap_used_bytes") or 0) < (found.value("jvm_heap_max_bytes") or 0)
    assert (found.value("jvm_gc_seconds_total") or 0) > 0
    assert MARK not in text
