"""A record that can't be evaluated at all: it is found, quarantined unread, and stops nothing else."""

from contextlib import ExitStack
from pathlib import Path

import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from streaming.failures import failure_of
from streaming.good_rows import GoodRows
from streaming.host import StreamHost
from streaming.streams.bronze import BronzeStream
from tests.kafka import Broker
from tests.proving import run_prove
from tests.streams import contract_on, ride, ride_contract, rows, send, settings_in, wait_until
from tidemark.contracts import Contract, read_contract
from tidemark.ledger import Ledger, ends
from tidemark.ops_tables import POISONED_OFFSETS, opened
from tidemark.settings import Settings

pytestmark = pytest.mark.services

# Java's expressions go one level deeper for each turn of a group: on a long text, their stack overflows.
FREE, FRAGILE = "maxLength: 1000, description: Who rides.", 'pattern: "(a|b)*", description: Who rides.'
POISON = "ab" * 20_000


def fragile_contract(folder: Path, topic: str) -> Contract:
    """Give the ride contract with a pattern that Java can't match against a long text."""
    ride_contract(folder, topic)
    path = folder / "ride_events.yaml"
    text = path.read_text()
    assert FREE in text
    path.write_text(text.replace(FREE, FRAGILE))
    return read_contract(path)


def test_poisoned_records_are_quarantined_and_stop_no_other_stream(
    tmp_path: Path, kafka: Broker, spark: SparkSession
) -> None:
    settings = settings_in(tmp_path, kafka, contracts_dir=tmp_path / "contracts", batch_interval_ms=100)
    fragile = fragile_contract(settings.contracts_dir, kafka.topic(partitions=2))
    other = contract_on("sales_events", tmp_path / "others", kafka.topic())
    values = [ride(1, user_id="a"), ride(2, user_id=POISON), b"{", ride(3, user_id="b"), ride(4, user_id="x")]
    send(kafka, fragile.topic, values, partition=0)
    send(kafka, fragile.topic, [ride(5, user_id=POISON), ride(6, user_id="ab")], partition=1)
    with ExitStack() as held:
        failing, beside = (StreamHost(BronzeStream(each, settings), spark, held, 0.05) for each in (fragile, other))
        for host in (failing, beside):
            held.callback(host.stop)
            host.start()
        wait_until(lambda: failing.state.restarts > 0, 60, "the poisoned stream has failed")
        send(kafka, other.topic, [b"{}"] * 3)
        wait_until(lambda: landed(settings, other) == {0: 3}, 60, "the other stream has landed what came meanwhile")
        wait_until(lambda: landed(settings, fragile) == {0: 5, 1: 2}, 120, "the poisoned stream went on")
        send(kafka, fragile.topic, [ride(7, user_id="a")], partition=1)
        wait_until(lambda: landed(settings, fragile) == {0: 5, 1: 3}, 60, "it lands what comes next")
        assert (failing.state.restarts, beside.state.restarts) == (4, 0)
        assert "2 records can't be evaluated" in failing.state.stream.warning
    found = rows(settings, fragile)
    poisoned = ["poisoned:StackOverflowError"]
    reasons = [[], poisoned, ["malformed"], [], ["pattern:user_id"], poisoned, [], []]
    assert [row["_errors"] for row in found] == reasons
    assert [row["_value"] for row in found[:5]] == values
    assert kept(settings) == [(0, 1, "java.lang.StackOverflowError"), (1, 0, "java.lang.StackOverflowError")]
    assert run_prove(settings, fragile.id).exit_code == 0
    assert good_rows(spark, fragile, settings) == ["e1", "e3", "e6", "e7"]


def test_an_outage_is_no_records_fault(tmp_path: Path, spark: SparkSession) -> None:
    spark.range(9).write.parquet(str(tmp_path / "numbers"))
    numbers = spark.read.parquet(str(tmp_path / "numbers"))
    for part in (tmp_path / "numbers").glob("part-*"):
        part.unlink()
    with pytest.raises(Exception, match="FILE_NOT_EXIST") as outage:
        numbers.write.format("noop").mode("overwrite").save()
    assert failure_of(spark, outage.value) is None
    with pytest.raises(Exception, match="unreadable") as broken:
        spark.range(9).selectExpr("raise_error('unreadable ' || id)").write.format("noop").mode("overwrite").save()
    failure = failure_of(spark, broken.value)
    assert failure is not None and failure.name == "SparkRuntimeException"


def landed(settings: Settings, contract: Contract) -> dict[int, int]:
    """Give where a contract's ledger ends."""
    newest = Ledger(settings.table("bronze", contract.id)).newest_ingest()
    return ends(newest.label.ranges) if newest and newest.label else {}


def kept(settings: Settings) -> list[tuple[int, int, str]]:
    """Give what the lake remembers of poisoned records."""
    table = opened(settings, POISONED_OFFSETS)
    assert table is not None
    found = table.to_table().sort_by([("partition", "ascending")])
    assert pc.all(pc.match_substring(found["trace"], "java.util.regex.Pattern")).as_py()
    return [(row["partition"], row["offset"], row["kind"]) for row in found.to_pylist()]


def good_rows(spark: SparkSession, contract: Contract, settings: Settings) -> list[str]:
    """Read a topic as the speed layer does; a poisoned record would fail the query."""
    stream = GoodRows(contract, settings, "reader").stream(spark, {}).writeStream
    where = stream.option("checkpointLocation", str(settings.home / "reader")).trigger(availableNow=True)
    query = where.format("memory").queryName("reader").start()
    query.awaitTermination(60)
    return sorted(row["event_id"] for row in spark.table("reader").collect())
