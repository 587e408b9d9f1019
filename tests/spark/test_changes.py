"""Changes in any order become the state and the history that plain Python makes of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from streaming.current_table import CurrentTable, change_schema
from streaming.transforms.changes import changes_of, newest_of
from tidemark.contracts import Contract, read_contract
from tidemark.settings import ROOT

pytestmark = pytest.mark.spark

Row = dict[str, Any]
START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def contract() -> Contract:
    return read_contract(ROOT / "contracts" / "customers.yaml")


def change(customer: str, lsn: int, op: str = "u") -> Row:
    image = dict.fromkeys(("name", "email", "country", "segment"), None if op == "d" else f"v{lsn}")
    known = {"customer_id": customer, "op": op, "source_lsn": lsn, "changed_at": START + timedelta(seconds=lsn)}
    return image | known | {"transaction_id": f"t{lsn}", "is_snapshot": "false"}


def table(path: str, contract: Contract) -> CurrentTable:
    schema = change_schema(contract)
    written_at = schema.get_field_index("updated_at")
    return CurrentTable(path, schema.remove(written_at), contract.key, contract.change_order)


def frame(spark: SparkSession, contract: Contract, changes: list[Row]) -> DataFrame:
    names = [column.name for column in contract.columns]
    kinds = {"integer": "bigint", "timestamp": "timestamp"}
    ddl = ", ".join(f"{each.name} {kinds.get(each.logical_type, 'string')}" for each in contract.columns)
    rows = [(*(each[name] for name in names), 0, offset) for offset, each in enumerate(changes)]
    return spark.createDataFrame(rows, f"{ddl}, _partition int, _offset bigint")


def test_the_newest_change_of_each_key_stands_whatever_comes_when(
    spark: SparkSession, contract: Contract, tmp_path: Path
) -> None:
    random = Random(2)
    log = [change(f"c{random.randrange(12)}", lsn, random.choice("ccuuud")) for lsn in range(1, 120)]
    shuffled = random.sample([*log, *log[:30]], len(log) + 30)  # out of order, some twice
    path = str(tmp_path / "customers")
    current = table(path, contract)
    current.create()
    for batch in (shuffled[:50], shuffled[50:100], shuffled[100:], shuffled[20:60]):
        changes = changes_of(frame(spark, contract, batch), contract)
        assert changes.count() == len({each["source_lsn"] for each in batch})
        current.merge_newer(newest_of(changes, contract).toArrow())
    due = {each["customer_id"]: each | {"is_deleted": each["op"] == "d"} for each in log}
    found = {row["customer_id"]: row for row in DeltaTable(path).to_pyarrow_table().to_pylist()}
    assert found == due and {row["is_deleted"] for row in due.values()} == {True, False}


def test_changes_that_are_all_older_commit_nothing(spark: SparkSession, contract: Contract, tmp_path: Path) -> None:
    path = str(tmp_path / "customers")
    current = table(path, contract)
    current.create()
    for lsn, versions in ((5, 1), (5, 1), (4, 1), (6, 2)):
        rows = changes_of(frame(spark, contract, [change("c1", lsn)]), contract)
        current.merge_newer(rows.toArrow())
        assert DeltaTable(path).version() == versions
