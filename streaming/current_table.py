"""The Delta table of rows as they are now: one row for each key, only ever replaced by a newer one.

It is written without Spark, as the speed layer's tables are (ADR 8).
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from streaming.schema import spark_type
from streaming.speed_table import UPDATED_AT, created
from streaming.transforms.changes import IS_DELETED
from tidemark.contracts import Contract
from tidemark.names import quoted_ansi
from tidemark.settings import Settings

Values = tuple[Any, ...]


class CurrentTable:
    """One table.

    Args:
        key: what names a row.
        order: columns that say which of two rows of a key is newer.
    """

    def __init__(self, path: str, schema: pa.Schema, key: tuple[str, ...], order: tuple[str, ...]) -> None:
        self._path = path
        self._schema = schema
        self._key = key
        self._order = order

    def create(self) -> None:
        """Create the table where there is none; add the columns that it lacks."""
        created(self._path, self._schema)

    def merge_newer(self, rows: pa.Table) -> None:
        """Insert rows, or replace older ones of the same key; where none is newer, nothing is committed.

        Args:
            rows: one for each key.
        """
        delta = DeltaTable(self._path)
        there = delta.to_pyarrow_dataset().to_table(columns=[*self._key, *self._order])
        there = there.filter(pc.is_in(there[self._key[0]], rows[self._key[0]].combine_chunks()))
        known = dict(zip(_tuples(there, self._key), _tuples(there, self._order), strict=True))
        new = zip(_tuples(rows, self._key), _tuples(rows, self._order), strict=True)
        newer = rows.filter(pa.array([key not in known or order > known[key] for key, order in new], pa.bool_()))
        if len(newer):
            same = " AND ".join(f"old.{quoted_ansi(name)} = new.{quoted_ansi(name)}" for name in self._key)
            merge = delta.merge(newer, same, source_alias="new", target_alias="old")
            merge.when_matched_update_all().when_not_matched_insert_all().execute()

    def read(self, spark: SparkSession) -> DataFrame:
        """Read it by Spark, created if need be; in a stream each micro-batch reads what is newest."""
        self.create()
        return spark.read.format("delta").load(self._path)


def current_table(contract: Contract, settings: Settings) -> CurrentTable:
    """Give the table of a contract of change events."""
    path = settings.table("speed", contract.id)
    return CurrentTable(path, change_schema(contract), contract.key, contract.change_order)


def change_schema(contract: Contract) -> pa.Schema:
    """Give the columns of a change: the contract's, whether the row was deleted, and when it was written."""
    own = [T.StructField(column.name, spark_type(column)) for column in contract.columns]
    ours = [T.StructField(IS_DELETED, T.BooleanType()), T.StructField(UPDATED_AT, T.TimestampType())]
    return to_arrow_schema(T.StructType([*own, *ours]))


def _tuples(rows: pa.Table, columns: tuple[str, ...]) -> list[Values]:
    return list(zip(*(rows[name].to_pylist() for name in columns), strict=True))
