"""A speed stream that is told wrong times, and whose topic goes: every row that is on time is counted, each once."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from streaming.health import described
from streaming.host import StreamHost
from tests.kafka import Broker
from tests.services.test_ride_counts import House
from tests.streams import wait_until
from tests.windows import by_hand
from tidemark.topics import Topics

pytestmark = pytest.mark.services

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
