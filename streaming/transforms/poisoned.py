"""Records that can't be judged: told from the others by where they stand, and kept as they came."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from streaming.schema import bronze_schema
from streaming.transforms.bronze import with_envelope
from tidemark import bronze
from tidemark.contracts import Contract

Position = tuple[int, int]  # partition, offset


def without(records: DataFrame, positions: Iterable[Position]) -> DataFrame:
    """Leave out the Kafka records at some positions, before anything looks at what is in them."""
    at = _is_at(positions)
    return records if at is None else records.where(~at)


def blanked(records: DataFrame) -> DataFrame:
    """Take away what is in Kafka records: what still fails for them does not fail for that."""
    return records.withColumns({name: F.lit(None).cast(records.schema[name].dataType) for name in _CONTENT})


def unjudged(records: DataFrame, contract: Contract, reasons: Mapping[Position, str], now: datetime) -> DataFrame:
    """Give the bronze rows of the Kafka records at some positions, with the reason of each and no column of theirs."""
    at = _is_at(reasons)
    kept = with_envelope(records.where(F.lit(False) if at is None else at))
    standing = F.concat_ws("@", bronze.PARTITION, bronze.OFFSET)
    named = [F.when(standing == f"{part}@{offset}", reason) for (part, offset), reason in reasons.items()]
    made = {
        bronze.CONTRACT_VERSION: F.lit(contract.version),
        bronze.ERRORS: F.array(F.coalesce(*named, F.lit(bronze.POISONED))),
        bronze.INGESTED_AT: F.lit(now),
        bronze.JUDGED_AT: F.lit(now),
        bronze.INGEST_DATE: F.lit(now.astimezone(UTC).date()),
    }
    there = {name: F.col(name) for name in kept.columns} | made
    fields = bronze_schema(contract).fields
    return kept.select(*[there.get(each.name, F.lit(None)).cast(each.dataType).alias(each.name) for each in fields])


_CONTENT = ("key", "value", "headers")


def _is_at(positions: Iterable[Position]) -> Column | None:
    """Tell the Kafka records at some positions; None: at no position."""
    by_partition: dict[int, list[int]] = {}
    for partition, offset in positions:
        by_partition.setdefault(partition, []).append(offset)
    each = [(F.col("partition") == part) & F.col("offset").isin(offsets) for part, offsets in by_partition.items()]
    return reduce(Column.__or__, each) if each else None
