"""All reads of Kafka by Spark."""

import json
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession

from tidemark.ledger import Ranges
from tidemark.settings import Settings

_EARLIEST = -2

_READ = {
    "includeHeaders": "true",
    "failOnDataLoss": "true",
    "kafka.isolation.level": "read_committed",
    # Larger fetches: a sixth of the broker's work at full rate.
    "kafka.max.poll.records": "10000",
    "kafka.max.partition.fetch.bytes": str(8 * 1024 * 1024),
    "kafka.fetch.max.bytes": str(64 * 1024 * 1024),
    "kafka.receive.buffer.bytes": str(1024 * 1024),
    # A fetch that waits for the next record holds up the question for the topic's end, which comes after it.
    "kafka.fetch.max.wait.ms": "10",
}


def positions(topic: str, partitions: Mapping[int, int]) -> str:
    """Write starting or ending offsets as the Kafka source reads them."""
    return json.dumps({topic: {str(partition): offset for partition, offset in sorted(partitions.items())}})


def from_the_beginning(topic: str, partitions: list[int], known: Mapping[int, int]) -> str:
    """Write starting offsets: the known ones, and the beginning of every other partition."""
    return positions(topic, {partition: known.get(partition, _EARLIEST) for partition in partitions})


def topic_stream(
    spark: SparkSession, settings: Settings, topic: str, start: Mapping[str, str], limit: int | None = None
) -> DataFrame:
    """Read a topic as a stream, committed records only.

    Args:
        start: `startingOffsets` or `startingTimestamp`; used only where the query has no checkpoint.
        limit: most records of a micro-batch, where that is less than the setting says.
    """
    most = min(settings.max_offsets_per_trigger, limit or settings.max_offsets_per_trigger)
    options = _READ | dict(start) | {"maxOffsetsPerTrigger": str(most)}
    reader = spark.readStream.format("kafka").option("kafka.bootstrap.servers", settings.bootstrap)
    return reader.option("subscribe", topic).options(**options).load()


def topic_ranges(spark: SparkSession, settings: Settings, topic: str, ranges: Ranges) -> DataFrame:
    """Read exact ranges of a topic as a batch, committed records only. Partitions not named are left out."""
    wanted = {partition: span for partition, span in ranges.items() if span[0] < span[1]}
    options = _READ | {
        "startingOffsets": positions(topic, {partition: start for partition, (start, _) in wanted.items()}),
        "endingOffsets": positions(topic, {partition: end for partition, (_, end) in wanted.items()}),
        "assign": json.dumps({topic: sorted(wanted)}),
    }
    reader = spark.read.format("kafka").option("kafka.bootstrap.servers", settings.bootstrap)
    return reader.options(**options).load()
