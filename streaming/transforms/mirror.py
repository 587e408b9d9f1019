"""A topic's records for its mirror: the good ones as they are, the bad ones with why, as Kafka Connect reports it."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from streaming.schema import HEADERS
from tidemark import bronze
from tidemark.contracts import Contract

_PREFIX = "__connect.errors."
_STAGE = "VALUE_CONVERTER"  # where Connect finds that a value is none
_JUDGE = "tidemark.contracts.Contract"
_EXCEPTION = "org.apache.kafka.connect.errors.DataException"  # what Connect's converters raise for such a value


def mirrored(rows: DataFrame, contract: Contract, query: str) -> DataFrame:
    """Turn judged rows into the records of the mirror: topic, partition, key, value, headers.

    A bad record has its own headers and those of Connect's DeadLetterQueueReporter, but for `exception.stacktrace`:
    there is none. One that the record has already stays as it is, as with Connect.
    """
    is_good = F.size(bronze.ERRORS) == 0
    return rows.select(
        F.when(is_good, contract.clean_topic).otherwise(contract.dlq_topic).alias("topic"),
        F.col(bronze.PARTITION).alias("partition"),
        F.col(bronze.KEY).alias("key"),
        F.col(bronze.VALUE).alias("value"),
        F.when(is_good, F.col(bronze.HEADERS)).otherwise(_with_report(query)).cast(HEADERS).alias("headers"),
    )


def _with_report(query: str) -> Column:
    own = F.coalesce(F.col(bronze.HEADERS), F.array().cast(HEADERS))
    names = F.transform(own, lambda header: header["key"])
    return F.concat(own, F.filter(_report(query), lambda header: ~F.array_contains(names, header["key"])))


def _report(query: str) -> Column:
    texts = {
        "topic": F.col(bronze.TOPIC),
        "partition": F.col(bronze.PARTITION).cast("string"),
        "offset": F.col(bronze.OFFSET).cast("string"),
        "connector.name": F.lit(query),
        "task.id": F.lit("0"),
        "stage": F.lit(_STAGE),
        "class.name": F.lit(_JUDGE),
        "exception.class.name": F.lit(_EXCEPTION),
        "exception.message": F.array_join(bronze.ERRORS, ", "),
    }
    headers = [
        F.struct(F.lit(_PREFIX + name).alias("key"), text.cast("binary").alias("value")) for name, text in texts.items()
    ]
    return F.array(*headers).cast(HEADERS)
