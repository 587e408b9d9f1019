"""Changes of a table's rows become its current state and its history."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from tidemark import bronze, debezium
from tidemark.contracts import Contract

IS_DELETED = "is_deleted"


def changes_of(rows: DataFrame, contract: Contract) -> DataFrame:
    """Give each change once, from the good rows of change events, whatever order they come in."""
    own = [F.col(column.name) for column in contract.columns]
    operation = next((each.name for each in contract.columns if each.wire == debezium.OP), None)
    deleted = F.col(operation) == debezium.DELETE if operation else F.lit(False)
    changes = rows.select(*own, deleted.alias(IS_DELETED), bronze.PARTITION, bronze.OFFSET)
    return _first_of(changes, (*contract.key, *contract.change_order))


def newest_of(changes: DataFrame, contract: Contract) -> DataFrame:
    """Keep the newest change of each key, by the source's own order."""
    newest_first = Window.partitionBy(*contract.key).orderBy(*[F.desc(name) for name in contract.change_order])
    return changes.withColumn("_rank", F.row_number().over(newest_first)).where("_rank = 1").drop("_rank")


def _first_of(rows: DataFrame, identity: tuple[str, ...]) -> DataFrame:
    """Keep one row of each identity: an event that was sent again says the same."""
    first = Window.partitionBy(*identity).orderBy(bronze.PARTITION, bronze.OFFSET)
    ranked = rows.withColumn("_rank", F.row_number().over(first))
    return ranked.where("_rank = 1").drop("_rank", bronze.PARTITION, bronze.OFFSET)
