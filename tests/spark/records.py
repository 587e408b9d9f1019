"""Kafka records made by hand, and the bronze rows that they become."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from streaming.schema import HEADERS, bronze_schema
from streaming.transforms.bronze import bronze_rows, decoder_of
from streaming.transforms.decoding import Decoder
from tidemark.contracts import Contract

LANDED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FUTURE_LIMIT_MINUTES = 60
LATEST = LANDED + timedelta(minutes=FUTURE_LIMIT_MINUTES)
KAFKA_TIME = datetime(2026, 1, 2, 3, 4, 4, 123000, tzinfo=UTC)

Row = Mapping[str, Any]

_KAFKA = T.StructType(
    [
        T.StructField("key", T.BinaryType()),
        T.StructField("value", T.BinaryType()),
        T.StructField("topic", T.StringType()),
        T.StructField("partition", T.IntegerType()),
        T.StructField("offset", T.LongType()),
        T.StructField("timestamp", T.TimestampType()),
        T.StructField("timestampType", T.IntegerType()),
        T.StructField("headers", HEADERS),
    ]
)


@dataclass(frozen=True)
class Record:
    """A Kafka record, as far as a producer makes it."""

    value: bytes | None
    key: bytes | None = b"k1"
    headers: tuple[tuple[str, bytes | None], ...] | None = None


def as_bronze(
    spark: SparkSession, contract: Contract, records: Iterable[Record], decoder: Decoder | None = None
) -> DataFrame:
    """Give the bronze rows of records, which stand in one partition in this order."""
    rows = [_kafka_row(contract.topic, offset, record) for offset, record in enumerate(records)]
    landed = F.lit(LANDED)
    decoder = decoder or decoder_of(contract)
    return bronze_rows(spark.createDataFrame(rows, _KAFKA), contract, decoder, landed, FUTURE_LIMIT_MINUTES)


def collected(rows: DataFrame) -> list[Row]:
    """Give rows in the order of their offsets. By Arrow, which knows every year that Spark does."""
    found: list[Row] = rows.toArrow().to_pylist()
    return sorted(found, key=lambda row: int(row["_offset"]))


class Judged:
    """The bronze rows of named records."""

    def __init__(
        self, spark: SparkSession, contract: Contract, records: Mapping[str, Record], decoder: Decoder | None = None
    ) -> None:
        self.contract = contract
        self.records = records
        self.frame = as_bronze(spark, contract, records.values(), decoder)
        self.rows = collected(self.frame)
        self.row: dict[str, Row] = dict(zip(records, self.rows, strict=True))

    def columns(self, name: str) -> dict[str, Any]:
        """Give the contract's own columns of a row."""
        return {column.name: self.row[name][column.name] for column in self.contract.columns}

    def check_that_all_is_kept(self) -> None:
        """Fail if a record is lost, doubled or altered, or if a row does not say when and by what it was judged."""
        for offset, (row, record) in enumerate(zip(self.rows, self.records.values(), strict=True)):
            assert (row["_topic"], row["_partition"], row["_offset"]) == (self.contract.topic, 3, offset)
            assert (row["_key"], row["_value"], row["_kafka_time"]) == (record.key, record.value, KAFKA_TIME)
            headers = (
                row["_headers"] if row["_headers"] is None else [tuple(header.values()) for header in row["_headers"]]
            )
            assert headers == (None if record.headers is None else list(record.headers))
            assert (row["_ingested_at"], row["_judged_at"], row["_ingest_date"]) == (LANDED, LANDED, LANDED.date())
            assert (row["_contract_version"], row["_schema_id"]) == (self.contract.version, None)
        due = [(field.name, field.dataType) for field in bronze_schema(self.contract)]
        assert [(field.name, field.dataType) for field in self.frame.schema] == due


def _kafka_row(topic: str, offset: int, record: Record) -> tuple[Any, ...]:
    key = None if record.key is None else bytearray(record.key)
    value = None if record.value is None else bytearray(record.value)
    headers = None
    if record.headers is not None:
        headers = [(name, None if text is None else bytearray(text)) for name, text in record.headers]
    return (key, value, topic, 3, offset, KAFKA_TIME, 0, headers)
