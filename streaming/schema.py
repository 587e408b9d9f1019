"""What a contract means in Spark's types."""

from pyspark.sql import types as T

from tidemark import bronze
from tidemark.contracts import Column, Contract

_TYPES: dict[str, T.DataType] = {
    "string": T.StringType(),
    "integer": T.LongType(),
    "number": T.DoubleType(),
    "boolean": T.BooleanType(),
    "timestamp": T.TimestampType(),
    "date": T.DateType(),
}

HEADERS = T.ArrayType(T.StructType([T.StructField("key", T.StringType()), T.StructField("value", T.BinaryType())]))

_ENVELOPE: dict[str, T.DataType] = {
    bronze.TOPIC: T.StringType(),
    bronze.PARTITION: T.IntegerType(),
    bronze.OFFSET: T.LongType(),
    bronze.KAFKA_TIME: T.TimestampType(),
    bronze.KEY: T.BinaryType(),
    bronze.VALUE: T.BinaryType(),
    bronze.HEADERS: HEADERS,
    bronze.SCHEMA_ID: T.IntegerType(),
    bronze.CONTRACT_VERSION: T.StringType(),
    bronze.ERRORS: T.ArrayType(T.StringType()),
    bronze.INGESTED_AT: T.TimestampType(),
    bronze.JUDGED_AT: T.TimestampType(),
    bronze.INGEST_DATE: T.DateType(),
}


def spark_type(column: Column) -> T.DataType:
    """Give the type that a column has in bronze."""
    return _TYPES[column.logical_type]


def wire_type(column: Column) -> T.DataType:
    """Give the type that a column has in JSON: times with a unit are integers, other times and dates are text."""
    if column.logical_type == "timestamp":
        return T.LongType() if column.unit else T.StringType()
    return T.StringType() if column.logical_type == "date" else spark_type(column)


def bronze_schema(contract: Contract) -> T.StructType:
    """Give the bronze table's schema: the envelope, then the contract's columns."""
    own = [T.StructField(name, kind) for name, kind in _ENVELOPE.items()]
    typed = [T.StructField(column.name, spark_type(column), True, _comment(column)) for column in contract.columns]
    return T.StructType(own + typed)


def _comment(column: Column) -> dict[str, str]:
    return {"comment": column.description} if column.description else {}
