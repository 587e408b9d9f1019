"""A day recomputed from bronze is what plain Python makes of the records, whatever a stream has left in the table."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from streaming.batch.recompute import Recompute
from streaming.schema import bronze_schema
from streaming.speed import SpeedLayer, speed_table
from streaming.streams.enrichment import PAYMENTS_ENRICHED
from streaming.streams.ride_counts import RIDE_COUNTS
from streaming.streams.sessions import SESSIONS
from tests.spark.layer_days import CASES, DAY, END, MINUTE, START, Case, Row, is_of_day, rides
from tidemark.bronze import ENVELOPE
from tidemark.certificates import Origin, PartitionMark, Tidemark, write_tidemark
from tidemark.contracts import read_contracts
from tidemark.ledger import Label
from tidemark.reconciliations import Reconciliation
from tidemark.settings import ROOT, Settings

pytestmark = pytest.mark.spark

CONTRACTS = read_contracts(ROOT / "contracts")


class Lake:
    """Bronze, its proofs, and the speed layer's tables."""

    def __init__(self, home: Path, spark: SparkSession) -> None:
        self.settings = Settings(home=home)
        self._spark = spark

    def land(self, contract: str, records: Iterable[Row], **envelope: Any) -> None:
        """Append bronze rows, as an ingest does."""
        of = CONTRACTS[contract]
        own = {"_topic": of.topic, "_partition": 0, "_value": b"{}", "_errors": [], "_kafka_time": END} | envelope
        rows = [{**own, "_offset": offset, "_ingest_date": DAY, **each} for offset, each in enumerate(records)]
        label = Label("ingest", of.bronze_query, 0, "c", of.topic, "T1", {0: (0, len(rows))}, of.version)
        table = pa.Table.from_pylist(rows, to_arrow_schema(bronze_schema(of)))
        stamped = CommitProperties(custom_metadata={"userMetadata": label.to_json()})
        path = self.settings.table("bronze", contract)
        write_deltalake(path, table, mode="append", partition_by=["_ingest_date"], commit_properties=stamped)

    def prove(self, contract: str, through: datetime, topic_id: str = "T1") -> None:
        origin = Origin(f"{contract}-{through}", contract, contract, topic_id, 0, datetime.now(UTC))
        write_tidemark(self.settings, Tidemark(origin, "proven", (PartitionMark(0, 1, through),)))

    def streamed(self, layer: SpeedLayer, contract: str, records: Sequence[Row]) -> pa.Table:
        """Give what the layer's stream makes of records that arrive at once."""
        schema = to_arrow_schema(T.StructType(bronze_schema(CONTRACTS[contract]).fields[len(ENVELOPE) :]))
        frame = self._spark.createDataFrame(pa.Table.from_pylist([*records], schema))
        ours = {"is_final": F.lit(False), "updated_at": F.current_timestamp()}
        return layer.transform(frame).withColumns(ours).toArrow()

    def upsert(self, layer: SpeedLayer, rows: pa.Table) -> None:
        """Write as the layer's stream does."""
        table = speed_table(layer, self.settings)
        table.create(to_arrow_schema(layer.schema))
        table.upsert(rows)

    def table(self, layer: SpeedLayer) -> DeltaTable:
        return DeltaTable(self.settings.table("speed", layer.name))

    def rows(self, layer: SpeedLayer) -> list[Row]:
        return in_order(self.table(layer).to_pyarrow_table().to_pylist(), layer)

    def ops(self, name: str) -> list[Row]:
        rows: list[Row] = DeltaTable(self.settings.table("ops", name)).to_pyarrow_table().to_pylist()
        return rows

    def recompute(self, layer: SpeedLayer, day: date = DAY, is_dry: bool = False) -> Reconciliation:
        return Recompute(self.settings, CONTRACTS, self._spark, day, is_dry).run(layer)


def in_order(rows: Iterable[Row], layer: SpeedLayer) -> list[Row]:
    return sorted(rows, key=lambda row: [str(row[name]) for name in layer.key])


@pytest.fixture
def lake(tmp_path: Path, spark: SparkSession) -> Lake:
    return Lake(tmp_path, spark)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.layer.name)
def test_a_recomputed_day_is_that_of_plain_python_and_no_stream_changes_it_again(lake: Lake, case: Case) -> None:
    layer = case.layer
    lake.land(case.contract, case.records)
    lake.land(case.contract, case.records, _errors=["range:amount"])
    lake.land(case.contract, case.records, _value=None)
    lake.prove(case.contract, END + timedelta(hours=20))
    streamed = lake.streamed(layer, case.contract, case.records)
    lake.upsert(layer, streamed)
    others = [row for row in lake.rows(layer) if not is_of_day(row[layer.event_time])]
    spoil(lake, case)
    done = lake.recompute(layer)
    assert (done.outcome, done.reason) == ("done", "")
    found = [row for row in lake.rows(layer) if is_of_day(row[layer.event_time])]
    assert case.seen(found) == case.due
    assert len(found) == done.compared > 10
    assert (done.missing, done.extra, done.different, done.repaired) == (1, 1, 1, 3)
    assert all(row["is_final"] for row in found)
    final = lake.rows(layer)
    assert [row for row in final if not row["is_final"]] == others
    check_audit(lake, case, done)

    version = lake.table(layer).version()
    again = lake.recompute(layer)
    assert (again.outcome, again.compared, again.repaired) == ("done", done.compared, 0)
    assert lake.table(layer).version() == version
    assert not list(Path(lake.settings.lake_root, "_staging").iterdir())

    lake.upsert(layer, streamed)  # as a stream does that was rebuilt
    assert lake.rows(layer) == final


def spoil(lake: Lake, case: Case) -> None:
    """Leave of the day's rows one out, make one wrong, and add one."""
    layer = case.layer
    table = lake.table(layer).to_pyarrow_table()
    rows = [dict(row) for row in in_order(table.to_pylist(), layer)]
    first, second, third, *_ = [row for row in rows if is_of_day(row[layer.event_time])]
    rows.remove(first)
    second.update([case.wrong])
    rows.append({**third, layer.key[0]: "never was"})
    write_deltalake(lake.table(layer), pa.Table.from_pylist(rows, table.schema), mode="overwrite")


def check_audit(lake: Lake, case: Case, done: Reconciliation) -> None:
    """Fail unless the audit tells the three rows, and nothing personal."""
    (entry,) = lake.ops("reconciliations")
    assert (entry["run_id"], entry["level"], entry["subject"]) == (done.run_id, "recompute", case.layer.name)
    differences = {each["kind"]: each for each in lake.ops("reconciliation_diffs")}
    assert differences.keys() == {"missing", "extra", "different"}
    assert case.wrong[0] in differences["different"]["columns"]
    is_personal = case.layer is SESSIONS
    assert ("never was" in differences["extra"]["key"]) is not is_personal
    assert ("***" in differences["extra"]["key"]) is is_personal


def test_a_dry_run_says_the_same_and_writes_nothing(lake: Lake) -> None:
    case = rides()
    assert lake.recompute(RIDE_COUNTS, is_dry=True).outcome == "open"
    lake.land(case.contract, case.records)
    lake.prove(case.contract, END + MINUTE)
    assert lake.recompute(RIDE_COUNTS, is_dry=True).outcome == "skipped"  # there is no table
    lake.upsert(RIDE_COUNTS, lake.streamed(RIDE_COUNTS, case.contract, case.records))
    spoil(lake, case)
    version = lake.table(RIDE_COUNTS).version()
    dry = lake.recompute(RIDE_COUNTS, is_dry=True)
    assert (dry.outcome, dry.missing, dry.extra, dry.different, dry.repaired) == ("done", 1, 1, 1, 0)
    assert lake.table(RIDE_COUNTS).version() == version
    assert not Path(lake.settings.table("ops", "reconciliations")).exists()


def test_a_day_that_bronze_may_not_have_whole_stays_as_it_is(lake: Lake) -> None:
    case = rides()
    lake.land(case.contract, case.records)
    today = datetime.now(UTC).date()

    def outcome(layer: SpeedLayer = RIDE_COUNTS, day: date = DAY) -> tuple[str, str]:
        done = lake.recompute(layer, day)
        return done.outcome, done.reason

    assert outcome() == ("open", "bronze.ride_events was never proven: tidemark prove ride_events")
    lake.prove(case.contract, END + MINUTE - timedelta(microseconds=1))
    assert outcome()[0] == "open" and "is complete to 2026-02-01 00:00:59, and this needs it to" in outcome()[1]
    lake.prove(case.contract, END + MINUTE, topic_id="T0")
    assert outcome()[0] == "open" and "another topic" in outcome()[1]
    lake.prove(case.contract, END + MINUTE)
    assert outcome(day=today) == ("open", f"{today} is not over (UTC)")
    assert outcome(PAYMENTS_ENRICHED)[0] == "skipped" and "as they are now" in outcome(PAYMENTS_ENRICHED)[1]
    archive = Path(lake.settings.table("bronze", "archive"), "ride_events-20260131T120000")
    archive.mkdir(parents=True)
    assert outcome()[0] == "skipped" and "begins anew at 2026-01-31 12:00" in outcome()[1]
    assert not DeltaTable.is_deltatable(lake.settings.table("speed", RIDE_COUNTS.name))
    assert len(lake.ops("reconciliations")) == 10


def test_of_a_key_that_an_export_brought_the_newest_row_alone_counts(lake: Lake) -> None:
    def ride(key: str, kind: str, minute: int) -> Row:
        at = START + timedelta(hours=12, minutes=minute)
        return {"event_id": key, "user_id": "u", "event_type": kind, "amount": 1.0, "event_time": at}

    lake.land(
        "ride_events", [ride("twice", "a", 0), ride("twice", "a", 0), ride("same", "a", 0), ride("older", "a", 0)]
    )
    exported = [ride("same", "b", 0), ride("older", "b", 10), ride("only", "b", 0)]
    lake.land("ride_events", exported, _topic="export:00", _kafka_time=END + timedelta(days=1))
    lake.prove("ride_events", END + MINUTE)
    assert lake.recompute(RIDE_COUNTS).outcome == "done"
    at = {START + timedelta(hours=12): "12:00", START + timedelta(hours=12, minutes=10): "12:10"}
    counts = {
        (row["event_type"], at[row["window_start"]]): row["count_events"]
        for row in lake.rows(RIDE_COUNTS)
        if row["window_start"] in at
    }
    assert counts == {("a", "12:00"): 3, ("b", "12:10"): 1, ("b", "12:00"): 1}
