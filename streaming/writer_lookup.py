"""Which writers' schemas a stream or job knows, and how it comes to know more."""

import logging
import time
from collections.abc import Iterator

from prometheus_client import Counter
from pyspark.sql import DataFrame

from streaming.transforms.avro_records import UNRESOLVED, AvroRecords, unresolved_ids
from streaming.transforms.bronze import decoder_of, with_envelope
from streaming.transforms.decoding import Decoder, fields_of
from tidemark import bronze
from tidemark.contracts import Contract
from tidemark.registry import Registry, RegistryAway, SchemaRefused
from tidemark.settings import Settings
from tidemark.writers import Writer

log = logging.getLogger(__name__)

REFUSALS = Counter(
    "tidemark_schema_refusals",
    "Writers' schemas that were looked up and can't be read by a contract, by reason; their records are quarantined.",
    ["contract", "reason"],
)

_ABSENT_SECONDS = 60.0  # for so long the registry is not asked again for an id that it did not know


class WriterLookup:
    """The writers of one Avro contract, as far as they were met."""

    def __init__(self, contract: Contract, settings: Settings) -> None:
        self._contract = contract
        self._registry = Registry(settings)
        self._writers: dict[int, Writer] = self._registry.kept(contract)
        self._absent: dict[int, float] = {}
        for reason in (bronze.UNKNOWN_SCHEMA, bronze.NOT_OBJECT, bronze.TYPE, bronze.MISSING):
            REFUSALS.labels(contract.id, reason)  # an alert on its growth needs the zero first

    @property
    def decoder(self) -> AvroRecords:
        """Give a decoder for what is known now."""
        since = time.monotonic() - _ABSENT_SECONDS
        self._absent = {schema_id: asked for schema_id, asked in self._absent.items() if asked >= since}
        return AvroRecords(dict(self._writers), frozenset(self._absent))

    def register(self) -> None:
        """Register the contract's own schema; where that can't be, say so and go on: records have their own."""
        try:
            schema_id = self._registry.ensure(self._contract)
            self._look_up(schema_id)
        except (RegistryAway, SchemaRefused) as error:
            log.warning("%s: its schema is not registered: %s", self._contract.id, error)

    def resolve(self, records: DataFrame) -> bool:
        """Look up every id in records, with the columns of bronze's envelope, that is not known yet.

        Returns:
            Whether there were any.

        Raises:
            RegistryAway: the registry does not answer.
        """
        asked = [int(row[0]) for row in unresolved_ids(records, self.decoder).collect()]
        for schema_id in asked:
            self._look_up(schema_id)
        # To ask for many takes time: none may count as unresolved again before the records are read with all of them.
        self._absent |= {schema_id: time.monotonic() for schema_id in asked if schema_id in self._absent}
        return bool(asked)

    def _look_up(self, schema_id: int) -> None:
        writer = self._registry.writer(self._contract, schema_id)
        if writer is None:
            self._absent[schema_id] = time.monotonic()
            REFUSALS.labels(self._contract.id, bronze.UNKNOWN_SCHEMA).inc()
            log.warning("%s: the registry does not know schema id %d", self._contract.id, schema_id)
            return
        self._writers[schema_id] = writer
        log.info("%s: reads schema id %d", self._contract.id, schema_id)
        for wire in sorted(writer.misfits):
            log.warning("%s: schema id %d has another type for %s", self._contract.id, schema_id, wire)
        for reason in _refused(self._contract, writer):
            REFUSALS.labels(self._contract.id, reason).inc()


def decoder_for(records: DataFrame, contract: Contract, settings: Settings) -> Decoder:
    """Give a decoder that knows every schema in Kafka records that are read as a batch.

    Raises:
        RegistryAway: a schema has to be looked up, and the registry does not answer.
    """
    if contract.format != "avro":
        return decoder_of(contract)
    lookup = WriterLookup(contract, settings)
    lookup.resolve(with_envelope(records))
    return lookup.decoder


def _refused(contract: Contract, writer: Writer) -> Iterator[str]:
    """Say for what every record of a schema is quarantined; nothing: it may be good."""
    if not writer.is_record:
        yield bronze.NOT_OBJECT
        return
    if writer.misfits:
        yield bronze.TYPE
    if any(column.required and column.wire not in writer.fields for column in fields_of(contract)):
        yield bronze.MISSING


def is_unresolved(error: Exception) -> bool:
    """Tell whether a micro-batch failed for a schema id that nobody has looked up yet."""
    return UNRESOLVED in str(error)
