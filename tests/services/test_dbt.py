"""What dbt builds on a real warehouse: silver and gold up to the tidemark, the same by increments as by a full refresh.

One story is played once, and the tables are read after each of its chapters; each test tells one thing about them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tidemark.ops_tables import SCHEMAS, TIDEMARKS

if TYPE_CHECKING:
    from tests.warehouse import Warehouse

pytest_plugins = ("tests.warehouse",)
pytestmark = pytest.mark.services

Row = dict[str, Any]
Tables = dict[str, list[Row]]

MODELS = ("silver/stg_rides", "silver/stg_sales", "gold/fct_rides_hourly", "gold/fct_product_sales_daily")
RIDES, SALES = "ride_events", "sales_events"
FIRST = datetime(2026, 1, 5, 8, tzinfo=UTC)  # when the first chapter's rows were judged
AGAIN = FIRST + timedelta(minutes=30)  # within the overlap of an increment
NO_OVERLAP = ("--vars", "overlap_minutes: 0")

UTC_TIME = pa.timestamp("us", "UTC")
_ENVELOPE = [
    ("_topic", pa.string()),
    ("_partition", pa.int32()),
    ("_offset", pa.int64()),
    ("_kafka_time", UTC_TIME),
    ("_key", pa.binary()),
    ("_value", pa.binary()),
    ("_headers", pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
    ("_schema_id", pa.int32()),
    ("_contract_version", pa.string()),
    ("_errors", pa.list_(pa.string())),
    ("_ingested_at", UTC_TIME),
    ("_judged_at", UTC_TIME),
    ("_ingest_date", pa.date32()),
]
_OWN: dict[str, list[tuple[str, pa.DataType]]] = {
    RIDES: [
        ("event_id", pa.string()),
        ("user_id", pa.string()),
        ("event_type", pa.string()),
        ("amount", pa.float64()),
        ("event_time", UTC_TIME),
    ],
    SALES: [
        ("sale_id", pa.string()),
        ("product_id", pa.string()),
        ("quantity", pa.int64()),
        ("revenue", pa.float64()),
        ("customer_id", pa.string()),
        ("event_time", UTC_TIME),
        ("source", pa.string()),
        ("version", pa.string()),
    ],
}


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Give a time of January 2026."""
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


def ride(event_id: str, position: tuple[int, int], event_time: datetime | None, **other: Any) -> Row:
    """Give a bronze row of a ride event."""
    own = {"event_id": event_id, "user_id": f"user of {event_id}", "event_type": "paid", "amount": 0.1}
    return _envelope(RIDES, position) | own | {"event_time": event_time} | other


def sale(sale_id: str, position: tuple[int, int], event_time: datetime, **other: Any) -> Row:
    """Give a bronze row of a sale."""
    own = {"sale_id": sale_id, "product_id": "bread", "quantity": 2, "revenue": 4.2, "customer_id": "c"}
    return _envelope(SALES, position) | own | {"event_time": event_time, "source": "web", "version": "1"} | other


def _envelope(topic: str, position: tuple[int, int]) -> Row:
    where = {"_topic": topic, "_partition": position[0], "_offset": position[1], "_kafka_time": FIRST, "_value": b"{}"}
    judged = {"_contract_version": "1.0.0", "_errors": [], "_ingested_at": FIRST, "_judged_at": FIRST}
    return where | judged | {"_headers": [], "_ingest_date": FIRST.date()}


@dataclass
class Lake:
    """The tables that others write: bronze and the tidemarks."""

    root: Path
    proofs: Iterator[datetime] = field(default_factory=lambda: (FIRST + timedelta(days=n) for n in range(100)))

    def append(self, contract: str, rows: Iterable[Row], mode: Any = "append") -> None:
        """Write rows to a bronze table."""
        table = pa.Table.from_pylist(list(rows), pa.schema(_ENVELOPE + _OWN[contract]))
        write_deltalake(self.root / "bronze" / contract, table, mode=mode, partition_by=["_ingest_date"])

    def judge_again(self, contract: str, predicate: str, new: dict[str, str]) -> None:
        """Change rows in place, as a replay does."""
        changed = DeltaTable(self.root / "bronze" / contract).update(predicate=predicate, updates=new)
        assert changed["num_updated_rows"] == 1

    def leave(self, model: str, rows: list[Row]) -> None:
        """Write a table that the catalog doesn't know."""
        write_deltalake(self.root / model, pa.Table.from_pylist(rows))

    def prove(self, contract: str, tidemarks: dict[int, int], topic_id: str = "T1") -> None:
        """Write a proof: the offset of each partition below which everything is accounted for."""
        version = DeltaTable(self.root / "bronze" / contract).version()
        written_at = next(self.proofs)
        common = {"contract": contract, "topic": contract, "topic_id": topic_id, "table_version": version}
        said = {
            "verdict": "proven",
            "certificate_id": str(written_at),
            "complete_through": FIRST,
            "written_at": written_at,
        }
        rows = [common | said | {"partition": part, "tidemark": end} for part, end in tidemarks.items()]
        write_deltalake(self.root / "ops" / "tidemarks", pa.Table.from_pylist(rows, SCHEMAS[TIDEMARKS]), mode="append")

    def tables(self) -> Tables:
        """Read silver and gold."""
        return {model: self.rows(model) for model in MODELS}

    def rows(self, model: str) -> list[Row]:
        """Read a table, in an order that doesn't depend on its files."""
        rows = DeltaTable(self.root / model).to_pyarrow_table().to_pylist()
        return sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))

    def written(self, model: str) -> dict[str, Any]:
        """Give the metrics of a table's last commit."""
        metrics: dict[str, Any] = DeltaTable(self.root / model).history(1)[0]["operationMetrics"]
        return metrics


@dataclass
class Story:
    """What was seen, chapter by chapter."""

    refused: str  # before anything was there
    left_behind: list[str]
    statuses: dict[str, str]  # of the first build
    first: Tables
    quarantined: list[tuple[Any, ...]]
    second: Tables  # the tidemark has moved; late, re-judged and moved rows have come
    again: Tables  # nothing has come
    rewritten: dict[str, dict[str, Any]]
    refreshed: Tables
    adopted: Tables  # the topic was made anew


@pytest.fixture(scope="module")
def story(warehouse: Warehouse) -> Iterator[Story]:
    warehouse.clear()
    yield _played(warehouse, Lake(Path(warehouse.settings.lake_root)))
    warehouse.clear()


def _played(warehouse: Warehouse, lake: Lake) -> Story:
    refused = warehouse.refusal("run", "--select", "stg_rides")
    left_behind = sorted(path.name for path in lake.root.rglob("*") if path.is_file())
    _first_chapter(lake)
    statuses = warehouse.build("build")
    first = lake.tables()
    quarantined = warehouse.sql("select event_id, _errors[0] from quarantine.ride_events")
    _second_chapter(lake)
    warehouse.build("run", *NO_OVERLAP)
    second = lake.tables()
    warehouse.build("run")
    again, rewritten = lake.tables(), {model: lake.written(model) for model in MODELS}
    warehouse.build("run", "--full-refresh")
    refreshed = lake.tables()
    _third_chapter(lake)
    warehouse.build("run", *NO_OVERLAP, "--select", "stg_rides+")
    adopted = lake.tables()
    return Story(refused, left_behind, statuses, first, quarantined, second, again, rewritten, refreshed, adopted)


def _first_chapter(lake: Lake) -> None:
    rows = [
        ride("plain", (0, 0), at(1, 10)),
        ride("doubled", (0, 1), at(1, 11), amount=0.2),
        ride("doubled", (0, 2), at(1, 10), amount=9.9),
        ride("mended", (0, 3), None, amount=None, _errors=["type:amount"]),
        ride("moving", (0, 4), at(1, 13), event_type="started"),
        ride("settled", (0, 5), at(1, 14), amount=0.3),
        ride("at the tidemark", (0, 6), at(1, 15)),
        ride("not proven yet", (1, 0), at(1, 16)),
        ride("exported", (0, 77), at(1, 17), _topic="export:abc", _kafka_time=None),
        ride("doubled", (0, 78), at(1, 11), amount=9.9, _topic="export:abc", _kafka_time=None),
    ]
    lake.append(RIDES, rows)
    sales = [sale("s1", (0, 0), at(1, 10)), sale("s2", (0, 1), at(1, 23, 59)), sale("s2", (0, 2), at(1, 22))]
    lake.append(SALES, sales)
    lake.prove(RIDES, {0: 6, 1: 0})  # and none of the sales
    lake.leave("gold/fct_product_sales_daily", [{"product_id": "of a lost catalog", "count_sales": 1}])


def _second_chapter(lake: Lake) -> None:
    rows = [
        ride("moving", (0, 7), at(2, 9), event_type="started"),
        ride("settled", (0, 8), at(1, 9), amount=9.9),
        ride("late", (0, 9), at(1, 10), amount=0.7),
        ride("exported too", (0, 1), at(3, 1), _topic="export:def", _kafka_time=None, _judged_at=AGAIN),
        ride("above again", (0, 10), at(1, 10)),
    ]
    lake.append(RIDES, rows)
    lake.judge_again(
        RIDES,
        "event_id = 'mended'",
        {
            "amount": "0.4",
            "event_time": "TIMESTAMP '2026-01-01T12:00:00Z'",
            "_errors": "make_array()",
            "_judged_at": "TIMESTAMP '2026-01-05T08:30:00Z'",
        },
    )
    lake.prove(RIDES, {0: 10, 1: 1})
    lake.prove(SALES, {0: 3})
    lake.append(RIDES, [ride("written after the proof", (1, 0), at(1, 10))])


def _third_chapter(lake: Lake) -> None:
    """The topic was deleted and made anew: its offsets begin at 0 again, below those that silver has."""
    lake.append(RIDES, [ride("anew", (0, 0), at(4, 10), _judged_at=FIRST - timedelta(days=1))], mode="overwrite")
    lake.prove(RIDES, {0: 1}, topic_id="T2")


def amounts(rows: Iterable[Row]) -> dict[str, float]:
    """Give the amount of each ride."""
    return {row["event_id"]: row["amount"] for row in rows}


def recomputed(rides: Iterable[Row]) -> list[Row]:
    """Compute fct_rides_hourly from silver by other means."""
    hours: dict[tuple[datetime, str], list[Row]] = defaultdict(list)
    for each in rides:
        hours[each["event_time"].replace(minute=0, second=0, microsecond=0), each["event_type"]].append(each)
    return [
        {
            "hour_at": hour,
            "event_type": kind,
            "count_events": len(events),
            "count_users": len({each["user_id"] for each in events}),
            "sum_amount": sum((Decimal(str(each["amount"])) for each in events), Decimal(0)),
        }
        for (hour, kind), events in hours.items()
    ]


def unordered(rows: Iterable[Row]) -> set[str]:
    """Give rows in a form that has no order."""
    return {json.dumps(row, default=lambda value: str(value).rstrip("0").rstrip("."), sort_keys=True) for row in rows}


def test_a_model_whose_source_is_not_there_says_what_makes_it(story: Story) -> None:
    said = story.refused
    assert "bronze.ride_events: there is no table yet; it is made by: make stream-up" in said
    assert "ops.tidemarks: there is no table yet; it is made by: tidemark prove <contract>" in said
    assert "sales_events" not in said and "certificates" not in said


def test_a_table_that_is_not_there_is_not_made_by_asking_for_it(story: Story) -> None:
    assert story.left_behind == []


def test_the_first_build_passes_all_tests(story: Story) -> None:
    kinds: dict[str, int] = defaultdict(int)
    for node, status in story.statuses.items():
        assert status in ("success", "pass"), node
        kinds[node.split(".")[0]] += 1
    assert kinds["model"] >= 4 and kinds["unit_test"] >= 11 and kinds["test"] >= 36


def test_silver_has_the_newest_good_record_of_each_key_below_the_tidemark(story: Story) -> None:
    expected = {"plain": 0.1, "doubled": 0.2, "moving": 0.1, "settled": 0.3, "exported": 0.1}
    assert amounts(story.first["silver/stg_rides"]) == expected


def test_a_table_that_the_catalog_has_lost_is_built_anew(story: Story) -> None:
    assert story.statuses["model.tidemark.fct_product_sales_daily"] == "success"
    assert "of a lost catalog" not in str(story.first["gold/fct_product_sales_daily"])


def test_a_contract_without_a_proof_has_no_rows(story: Story) -> None:
    assert story.first["silver/stg_sales"] == []
    assert story.first["gold/fct_product_sales_daily"] == []


def test_quarantined_rows_are_in_their_view(story: Story) -> None:
    assert story.quarantined == [("mended", "type:amount")]


def test_rows_come_when_the_tidemark_moves(story: Story) -> None:
    rides = amounts(story.second["silver/stg_rides"])
    assert rides.keys() >= {"at the tidemark", "not proven yet", "late", "exported too"}
    assert "above again" not in rides


def test_what_was_written_after_the_proof_is_not_read(story: Story) -> None:
    assert "written after the proof" not in amounts(story.second["silver/stg_rides"])


def test_a_row_that_was_judged_again_comes_in(story: Story) -> None:
    assert amounts(story.second["silver/stg_rides"])["mended"] == 0.4


def test_an_older_event_never_overwrites_a_newer_one(story: Story) -> None:
    assert amounts(story.second["silver/stg_rides"])["settled"] == 0.3


def test_an_hour_that_a_ride_has_left_is_gone(story: Story) -> None:
    def started(tables: Tables) -> list[datetime]:
        return [row["hour_at"] for row in tables["gold/fct_rides_hourly"] if row["event_type"] == "started"]

    assert started(story.first) == [at(1, 13)]
    assert started(story.second) == [at(2, 9)]


@pytest.mark.parametrize("chapter", ["first", "second", "again", "refreshed", "adopted"])
def test_gold_is_what_silver_adds_up_to(story: Story, chapter: str) -> None:
    tables: Tables = getattr(story, chapter)
    assert len(tables["silver/stg_rides"]) >= 5
    assert unordered(tables["gold/fct_rides_hourly"]) == unordered(recomputed(tables["silver/stg_rides"]))


def test_sales_are_counted_by_product_and_day(story: Story) -> None:
    counted = {"count_sales": 2, "count_customers": 1, "sum_quantity": 4, "sum_revenue": Decimal("8.400000")}
    day = {"product_id": "bread", "sale_date": at(1, 0).date()}
    assert story.second["gold/fct_product_sales_daily"] == [day | counted]


def test_a_build_without_news_changes_nothing(story: Story) -> None:
    assert story.again == story.second
    changes = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted", "numTargetFilesAdded")
    for model, metrics in story.rewritten.items():
        assert [int(metrics[name]) for name in changes] == [0, 0, 0, 0], model


@pytest.mark.parametrize("model", MODELS)
def test_a_full_refresh_gives_what_the_increments_gave(story: Story, model: str) -> None:
    assert story.refreshed[model] == story.again[model]
    assert len(story.refreshed[model]) >= 1


def test_rows_of_a_topic_made_anew_come_in_although_its_offsets_begin_again(story: Story) -> None:
    before, after = (amounts(tables["silver/stg_rides"]) for tables in (story.refreshed, story.adopted))
    assert after == before | {"anew": 0.1}
