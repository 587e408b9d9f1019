"""How a bronze stream turns the records of its micro-batches into rows."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from streaming.transforms.bronze import decoder_of, judge_of, moment_of, with_envelope
from streaming.writer_lookup import WriterLookup, is_unresolved
from tidemark.contracts import Contract
from tidemark.settings import Settings


class Judging(Protocol):
    """Turns records into rows in two steps: once for the query, then for each micro-batch."""

    def prepared(self, records: DataFrame) -> DataFrame:
        """Do what needs neither a clock nor knowledge that changes."""

    def rows(self, prepared: DataFrame, now: datetime) -> DataFrame:
        """Give the bronze rows of a micro-batch."""

    def learned(self, prepared: DataFrame, error: Exception) -> bool:
        """Learn what the micro-batch failed for; tell whether it is worth another try."""


class PlainJudging:
    """For formats that need nothing but the contract."""

    def __init__(self, contract: Contract, settings: Settings) -> None:
        self._contract, self._limit = contract, settings.future_limit_minutes
        self._decoder = decoder_of(contract)
        self._judge = judge_of(contract, self._decoder)

    def prepared(self, records: DataFrame) -> DataFrame:
        """Decode."""
        return self._decoder.decoded(with_envelope(records), self._contract)

    def rows(self, prepared: DataFrame, now: datetime) -> DataFrame:
        """Judge."""
        return self._judge(prepared, moment_of(now, self._contract.topic, self._limit))

    def learned(self, prepared: DataFrame, error: Exception) -> bool:
        """There is nothing to learn."""
        return False


class AvroJudging:
    """For Avro: a micro-batch may bring the first record of a schema."""

    def __init__(self, contract: Contract, settings: Settings) -> None:
        self._contract, self._limit = contract, settings.future_limit_minutes
        self._lookup = WriterLookup(contract, settings)
        self._lookup.register()
        self._decoder = self._lookup.decoder
        self._judge = judge_of(contract, self._decoder)

    def prepared(self, records: DataFrame) -> DataFrame:
        """Name the fields."""
        return with_envelope(records)

    def rows(self, prepared: DataFrame, now: datetime) -> DataFrame:
        """Decode and judge by the schemas that are known now."""
        decoder = self._lookup.decoder
        if decoder != self._decoder:
            self._decoder, self._judge = decoder, judge_of(self._contract, decoder)
        decoded = self._decoder.decoded(prepared, self._contract)
        return self._judge(decoded, moment_of(now, self._contract.topic, self._limit))

    def learned(self, prepared: DataFrame, error: Exception) -> bool:
        """Look the new schemas up.

        Raises:
            RegistryAway: the registry does not answer.
        """
        if not is_unresolved(error):
            return False
        return self._lookup.resolve(prepared)


def judging_of(contract: Contract, settings: Settings) -> Judging:
    """Give the way of a contract's format."""
    return AvroJudging(contract, settings) if contract.format == "avro" else PlainJudging(contract, settings)


def write_judged(judging: Judging, prepared: DataFrame, write: Callable[[DataFrame], None]) -> None:
    """Write the rows of a micro-batch; again, with what was learned, where it failed for what nobody knew yet."""
    while True:
        try:
            return write(judging.rows(prepared, datetime.now(UTC)))
        except (PySparkException, Py4JJavaError) as error:
            if not judging.learned(prepared, error):
                raise
