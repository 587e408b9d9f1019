"""product_sales on real Kafka, Spark, Delta and Redis: exact over a restart, and whatever becomes of Redis."""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from streaming.health import described
from streaming.host import StreamState
from streaming.speed import SpeedStream
from streaming.streams.product_sales import PRODUCT_SALES
from tests.kafka import Broker
from tests.redis_server import RedisServer, running_redis, with_redis
from tests.streams import contract_on, send
from tests.windows import FIVE_MINUTES, Sale, Sold, sold_by_hand
from tidemark import redis_hashes

pytestmark = pytest.mark.services

PRODUCTS = [f"p{number}" for number in range(6)]
AWAY = "goes on without Redis"


class Shop:
    """The stream with a topic and a Redis of its own, and what it has been sent."""

    def __init__(self, home: Path, broker: Broker, spark: SparkSession) -> None:
        self.spark = spark
        self.settings = with_redis(home, kafka_bootstrap=broker.bootstrap)
        self.redis = RedisServer(self.settings)
        self.sent: list[Sale] = []
        self.query: StreamingQuery | None = None
        self._broker = broker
        self._random = Random(11)
        contract = contract_on("sales_events", home / "contracts", broker.topic(partitions=2))
        self._topic = contract.topic
        layer = replace(PRODUCT_SALES, trigger_seconds=0)
        self.stream = SpeedStream(layer, {"sales_events": contract}, self.settings)

    def sell(self, count: int, minutes_ago: float, within: float = 0.0) -> None:
        """Send good sales of some minutes, and as many bad ones."""
        now = time.time_ns() // 10**6
        for _ in range(count):
            at = now - int(60_000 * (minutes_ago - within * self._random.random()))
            self.sent.append(self._sale(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at)))
        good = [_fields(sale) for sale in self.sent[-count:]]
        send(self._broker, self._topic, [json.dumps(each).encode() for each in good])
        send(self._broker, self._topic, [json.dumps(each | {"quantity": 0}).encode() for each in good])

    def _sale(self, at: datetime) -> Sale:
        random = self._random
        cents = random.randrange(1, 10_000)
        return Sale(random.choice(PRODUCTS), random.randrange(1, 9), cents / 100, f"c{random.randrange(40)}", at)

    @contextmanager
    def running(self) -> Iterator[None]:
        self.query = self.stream.start(self.spark)
        try:
            yield
        finally:
            self.query.stop()

    def catch_up(self) -> None:
        assert self.query
        self.query.processAllAvailable()

    @property
    def warning(self) -> str:
        return str(described(StreamState(self.stream, "running", query=self.query))["warning"])

    @property
    def table(self) -> Mapping[tuple[str, datetime], Sold]:
        rows = DeltaTable(self.settings.table("speed", "product_sales")).to_pyarrow_table().to_pylist()
        assert {row["window_end"] - row["window_start"] for row in rows} == {FIVE_MINUTES}
        names = ("quantity", "revenue", "unique_customers")
        found = {(row["product_id"], row["window_start"]): Sold(*(row[name] for name in names)) for row in rows}
        assert len(found) == len(rows)
        return found

    @property
    def hashes(self) -> Mapping[str, Any]:
        return self.redis.hashes("product")


def _fields(sale: Sale) -> dict[str, Any]:
    return {
        "product_id": sale.product,
        "quantity": sale.quantity,
        "revenue": sale.revenue,
        "customer_id": sale.customer,
        "timestamp": round(sale.at.timestamp() * 1000),
    }


def exactly(table: Mapping[tuple[str, datetime], Sold]) -> Mapping[tuple[str, datetime], tuple[int, float]]:
    """Leave out what is approximate."""
    return {key: (sold.quantity, sold.revenue) for key, sold in table.items()}


def newest(table: Mapping[tuple[str, datetime], Sold]) -> Mapping[str, Any]:
    """Give each product's newest window as Redis must have it."""
    starts = {product: max(start for name, start in table if name == product) for product, _ in table}
    sold = {product: (table[product, start], start + FIVE_MINUTES) for product, start in starts.items()}
    return {
        product: {
            "quantity": str(each.quantity),
            "revenue": str(each.revenue).removesuffix(".0"),
            "unique_customers": str(each.customers),
            "window_end": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for product, (each, end) in sold.items()
    }


def assert_exact(shop: Shop) -> None:
    table, due = shop.table, sold_by_hand(shop.sent)
    assert exactly(table) == exactly(due)
    # Four deviations; the fewer there are, the surer it is
    assert all(abs(table[key].customers - sold.customers) <= 4 * 0.05 * sold.customers for key, sold in due.items())
    assert shop.hashes == newest(table)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, kafka: Broker, spark: SparkSession) -> Iterator[Shop]:
    """Give a shop whose Redis and stream run; a stream's start is what takes long."""
    shop = Shop(tmp_path_factory.mktemp("shop"), kafka, spark)
    with running_redis(shop.settings) as shop.redis, shop.running():
        yield shop


def test_table_and_hashes_are_exact_over_a_restart(tmp_path: Path, kafka: Broker, spark: SparkSession) -> None:
    shop = Shop(tmp_path, kafka, spark)
    with running_redis(shop.settings) as shop.redis:
        shop.sell(300, minutes_ago=7, within=7)
        with shop.running():
            shop.catch_up()
        assert_exact(shop)
        shop.sell(300, minutes_ago=7, within=7)
        with shop.running():
            shop.catch_up()
            assert_exact(shop)
            shop.sell(50, minutes_ago=6)  # of the window before: Redis keeps the newer one
            shop.catch_up()
        assert len(shop.table) >= 2 * len(PRODUCTS)
        assert_exact(shop)


def test_redis_away_stops_nothing_is_said_once_and_is_made_up_for(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.sell(60, minutes_ago=4)
    shop.catch_up()
    assert shop.warning == ""
    with shop.redis.away():
        for _ in range(2):
            shop.sell(30, minutes_ago=0.1)
            shop.catch_up()
            assert exactly(shop.table) == exactly(sold_by_hand(shop.sent))
            assert "Connection refused" in shop.warning
    shop.sell(1, minutes_ago=0)
    shop.catch_up()
    assert shop.warning == ""
    assert_exact(shop)
    assert [AWAY in record.message for record in caplog.records if record.levelno >= logging.WARNING].count(True) == 1


def test_a_full_redis_stops_nothing_and_is_made_up_for(shop: Shop) -> None:
    shop.redis.client.config_set("maxmemory", 1)
    try:
        shop.sell(30, minutes_ago=0)
        shop.catch_up()
        assert exactly(shop.table) == exactly(sold_by_hand(shop.sent))
        assert "used memory > 'maxmemory'" in shop.warning
    finally:
        shop.redis.client.config_set("maxmemory", "256mb")
    shop.sell(1, minutes_ago=0)
    shop.catch_up()
    assert shop.warning == ""
    assert_exact(shop)


def test_a_flushed_redis_has_everything_again_after_the_next_batch(shop: Shop) -> None:
    shop.sell(60, minutes_ago=0)
    shop.catch_up()
    shop.redis.client.flushall()
    shop.sell(1, minutes_ago=0)
    shop.catch_up()
    assert_exact(shop)
    assert len(shop.hashes) == len(PRODUCTS)


def test_a_rebuild_by_hand_writes_what_the_stream_had_written(shop: Shop) -> None:
    shop.sell(30, minutes_ago=0)
    shop.catch_up()
    before = shop.hashes
    shop.redis.client.flushall()
    assert redis_hashes.rebuild_by_hand(shop.settings, redis_hashes.PRODUCT_SALES).hashes == len(before) > 0
    assert shop.hashes == before
