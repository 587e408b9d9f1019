"""What the speed layer reads: the good records of a topic, decoded and judged as bronze has them."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from streaming.checkpoint import Checkpoint
from streaming.sources import from_the_beginning, topic_ranges, topic_stream
from streaming.transforms.bronze import bronze_rows, decoder_of, with_envelope
from streaming.transforms.poisoned import without
from streaming.writer_lookup import WriterLookup, is_unresolved
from tidemark import bronze
from tidemark.contracts import Contract
from tidemark.poisoned import poisoned_positions
from tidemark.settings import Settings
from tidemark.topics import Topics

_MOST = 200_000  # records of a micro-batch: what they become is brought to the driver


def clock() -> Column:
    """Give the time by the machine's clock, asked for each row.

    Spark's own is a constant of each micro-batch's generated code, all of which would be compiled anew each time.
    """
    return F.expr("timestamp_millis(cast(reflect('java.lang.System', 'currentTimeMillis') AS bigint))")


class GoodRows:
    """The good records of one contract, as one of a query's sources."""

    def __init__(self, contract: Contract, settings: Settings, query: str, source: int = 0) -> None:
        self.contract = contract
        self._settings = settings
        self._topics = Topics(settings.bootstrap)
        self._checkpoint = Checkpoint(settings.checkpoint(query), contract.topic, source)
        self._lookup: WriterLookup | None = None

    def stream(self, spark: SparkSession, start: Mapping[str, str]) -> DataFrame:
        """Read them as a stream.

        Args:
            start: where to begin without a checkpoint; empty: at the beginning.
        """
        topic = self.contract.topic
        self._topics.ensure(topic, self._settings.topic_partitions)
        if not start:
            start = {"startingOffsets": from_the_beginning(topic, self._topics.partitions(topic), {})}
        # What the bronze stream found unreadable is no good row; a stream that failed for it starts again without it.
        poisoned = poisoned_positions(self._settings, topic, self._topics.identity(topic))
        records = without(topic_stream(spark, self._settings, topic, start, _MOST), poisoned)
        limit = self._settings.future_limit_minutes
        decoder = decoder_of(self.contract, self._writers.decoder if self.contract.format == "avro" else None)
        rows = bronze_rows(records, self.contract, decoder, clock(), limit)
        return rows.where((F.size(bronze.ERRORS) == 0) & F.col(bronze.VALUE).isNotNull())

    def learn(self, spark: SparkSession, error: Exception) -> bool:
        """Look up the schemas that the last micro-batch failed for, so that the next start knows them.

        Returns:
            Whether there were any.

        Raises:
            RegistryAway: the registry does not answer.
        """
        if self.contract.format != "avro" or not is_unresolved(error):
            return False
        ranges = self._checkpoint.ranges(self._checkpoint.last_batch())
        records = topic_ranges(spark, self._settings, self.contract.topic, ranges)
        return self._writers.resolve(with_envelope(records))

    @property
    def _writers(self) -> WriterLookup:
        if self._lookup is None:
            self._lookup = WriterLookup(self.contract, self._settings)
        return self._lookup
