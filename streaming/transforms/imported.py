"""Rows that an export brought into bronze, beside those that the topic had."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from streaming.transforms.exports import is_exported, newness
from tidemark.contracts import Contract


def settled(rows: DataFrame, contract: Contract) -> DataFrame:
    """Keep of a key that an export has brought the newest row alone, as silver does; of any other key every row.

    A stream counts every record of its topic, so what only the topic brought must stay as it is. An export says what a
    key's one row is.
    """
    of_key = Window.partitionBy(*contract.key)
    marked = rows.withColumns(
        {
            "_settles": F.bool_or(is_exported()).over(of_key),
            "_rank": F.row_number().over(of_key.orderBy(newness(contract).desc())),
        }
    )
    return marked.where(~F.col("_settles") | (F.col("_rank") == 1)).drop("_settles", "_rank")
