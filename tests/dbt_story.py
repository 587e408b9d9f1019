"""A story that is played once on a real warehouse, and what was seen after each of its chapters."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable, write_deltalake

from tests.dbt_lake import CONTRACTS, FIRST, OTHERS, RIDES, SALES, Lake, Row, Tables, at, record, ride, sale
from tests.streams import wait_until
from tidemark.dbt_manifest import manifest
from tidemark.dbt_nodes import project_models
from tidemark.ledger import Ledger
from tidemark.model_builds import decisions, keep_builds
from tidemark.settings import Settings
from tidemark.speed_columns import TABLES
from tidemark.token_key import token_key, token_key_file

if TYPE_CHECKING:
    from tests.warehouse import Warehouse

STAGED = (
    "stg_rides",
    "stg_sales",
    "stg_payments",
    "stg_page_views",
    "stg_sensor_readings",
    "stg_logs",
    "stg_customers",
)
BY_TIME = ("fct_rides_hourly", "fct_product_sales_daily", "fct_sensor_health", "fct_service_errors")
BY_KEY = ("fct_rides", "fct_sessions", "dim_customers", "dim_products")
INCREMENTAL = (*(f"silver/{name}" for name in STAGED), *(f"gold/{name}" for name in (*BY_TIME, *BY_KEY)))
ONE_OF_EACH_KIND = ("silver/stg_rides", "gold/fct_rides_hourly", "gold/fct_rides")  # by key, by time, by keys touched
MODELS = (*INCREMENTAL, "gold/fct_fraud_alerts")  # which is made anew by each build
AGAIN = FIRST + timedelta(minutes=30)  # within the overlap of an increment
DAMAGED = ("fct_rides_hourly", "fct_sessions", "dim_customers")
NO_OVERLAP = ("--vars", "overlap_minutes: 0")
FIRST_OF_JANUARY = ("--event-time-start", "2026-01-01", "--event-time-end", "2026-01-02")


@dataclass
class Story:
    """What was seen, chapter by chapter."""

    refused: str  # before anything was there
    left_behind: list[str]
    statuses: dict[str, str]  # of the first build
    first: Tables
    quarantined: list[tuple[Any, ...]]
    killed: set[str]  # what dbt had built of gold when it was killed in the second build
    second: Tables  # the tidemark has moved; late, re-judged and moved rows have come
    idle: dict[str, str]  # what becomes of each model then
    again: Tables  # nothing has come
    rewritten: dict[str, dict[str, Any]]
    refreshed: Tables
    damaged: Tables  # somebody has written to gold
    backfilled: Tables  # the first of January was asked for
    adopted: Tables  # the topic was made anew
    moved: dict[str, str]  # what becomes of each model then
    made_anew: str  # the operation of the last commit to a model that had been made otherwise
    left_alone: bool  # a model that was selected, and has no news
    run_of_sql: set[str]  # kinds of nodes, by the build of a model that was made otherwise
    run_of_data: set[str]  # by one of models that have only news
    served: list[tuple[Any, ...]]
    key: str  # of the tokens
    written_with_key: list[str]  # files of dbt, Spark and Delta that have it


def played(warehouse: Warehouse, lake: Lake) -> Story:
    """Play it, in an empty warehouse."""
    refused = warehouse.refusal("run", "--select", "stg_rides")
    left_behind = sorted(path.name for path in lake.root.rglob("*") if path.is_file())
    _first_chapter(lake)
    statuses = warehouse.build("build")
    first = lake.tables(MODELS)
    quarantined = warehouse.sql("select event_id, _errors[0] from quarantine.ride_events")
    _second_chapter(lake)
    _take_manifest(warehouse.settings)
    killed = _killed(warehouse, lake, "gold")
    warehouse.build_changed("run", *NO_OVERLAP)
    second, idle = lake.tables(MODELS), _actions(warehouse.settings)
    warehouse.build("run", "--select", *(model.split("/")[1] for model in ONE_OF_EACH_KIND))
    warehouse.build("run", *NO_OVERLAP, "--select", *BY_TIME, *BY_KEY)
    again, rewritten = lake.tables(MODELS), {model: lake.written(model) for model in ONE_OF_EACH_KIND}
    warehouse.build("run", "--full-refresh")
    refreshed = lake.tables(MODELS)
    _record_all(warehouse.settings, made_otherwise="fct_rides_hourly")
    _third_chapter(lake)
    moved = _actions(warehouse.settings)
    logs = _versions(lake, "silver")["silver/stg_logs"]
    warehouse.build_changed("build", *NO_OVERLAP, "--select", "stg_rides", "stg_logs")
    run_of_data = _kinds_run(warehouse.settings)
    warehouse.build_changed("build", *NO_OVERLAP, "--select", "fct_rides_hourly")
    run_of_sql = _kinds_run(warehouse.settings)
    made_anew = DeltaTable(lake.root / "gold" / "fct_rides_hourly").history(1)[0]["operation"]
    adopted, left_alone = lake.tables(MODELS), _versions(lake, "silver")["silver/stg_logs"] == logs
    _damage(lake)
    damaged = lake.tables(MODELS)
    warehouse.build("run", *NO_OVERLAP, *FIRST_OF_JANUARY, "--select", *DAMAGED)
    backfilled = lake.tables(MODELS)
    served = warehouse.sql("select subject, serving, measure from gold.combined_metrics where metric = 'ride_events'")
    key = token_key(warehouse.settings)
    return Story(
        *(refused, left_behind, statuses, first, quarantined, killed, second, idle, again, rewritten, refreshed),
        *(damaged, backfilled, adopted, moved, made_anew, left_alone, run_of_sql, run_of_data, served),
        *(key, _files_with(key, warehouse.settings)),
    )


def _take_manifest(settings: Settings) -> None:
    """Take what dbt has just written: to have it parse the project once more would cost a test ten seconds."""
    manifest(settings).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(settings.home / "dbt" / "target" / "manifest.json", manifest(settings))


def _kinds_run(settings: Settings) -> set[str]:
    """Give the kinds of nodes that dbt's last run was about."""
    results = json.loads((settings.home / "dbt" / "target" / "run_results.json").read_text(encoding="utf-8"))
    return {each["unique_id"].partition(".")[0] for each in results["results"]}


def _killed(warehouse: Warehouse, lake: Lake, layer: str) -> set[str]:
    """Kill dbt as soon as it has built a model of a layer: another one is in its middle then."""
    before = _versions(lake, layer)

    def built() -> set[str]:
        return {name for name, version in _versions(lake, layer).items() if version > before[name]}

    process = warehouse.started("run", *NO_OVERLAP)
    wait_until(lambda: bool(built()), 120, f"dbt builds a model of {layer}")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return built()


def _versions(lake: Lake, layer: str) -> dict[str, int]:
    tables = [model for model in MODELS if Path(model).parts[0] == layer]
    return {model: Ledger(str(lake.root / model)).latest_version() for model in tables}


def _record_all(settings: Settings, made_otherwise: str) -> None:
    """Record all tables as just built; one of them by other SQL."""
    found = decisions(settings, project_models(settings))
    others = {each.model.name: each.model.fingerprint for each in found} | {made_otherwise: "of other SQL"}
    built = (replace(each, model=replace(each.model, fingerprint=others[each.model.name])) for each in found)
    keep_builds(settings, built)


def _actions(settings: Settings) -> dict[str, str]:
    """Say what `tidemark dbt --changed` would do about each table."""
    found = decisions(settings, project_models(settings))
    return {each.model.name: each.action for each in found if not each.model.is_view}


def _files_with(text: str, settings: Settings) -> list[str]:
    files = [path for path in settings.home.rglob("*") if path.is_file() and path != token_key_file(settings)]
    assert any(path.name == "stg_payments.sql" for path in files) and any("_delta_log" in path.parts for path in files)
    return [str(path) for path in files if text.encode() in path.read_bytes()]


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
    for contract in OTHERS:
        _first_of_another(lake, contract)
    _speed(lake)
    lake.leave("gold/fct_product_sales_daily", [{"product_id": "of a lost catalog", "count_sales": 1}])


def _second_chapter(lake: Lake) -> None:
    rows = [
        ride("moving", (0, 7), at(2, 9), event_type="started", _key=b"another ride"),
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
    for contract in OTHERS:
        _second_of_another(lake, contract)
    lake.append(RIDES, [ride("written after the proof", (1, 0), at(1, 10))])


def _first_of_another(lake: Lake, contract: str) -> None:
    rows = [
        record(contract, "plain", (0, 0), at(1, 10)),
        record(contract, "doubled", (0, 1), at(1, 10, 20)),
        record(contract, "doubled", (0, 2), at(1, 9)),
        record(contract, "mended", (0, 3), None, _errors=["missing"]),
        record(contract, "moving", (0, 4), at(1, 13)),
        record(contract, "settled", (0, 5), at(1, 14)),
        record(contract, "at the tidemark", (0, 6), at(1, 15)),
    ]
    lake.append(contract, rows)
    lake.prove(contract, {0: 6})


def _second_of_another(lake: Lake, contract: str) -> None:
    rows = [
        record(contract, "moving", (0, 7), at(2, 9)),
        record(contract, "settled", (0, 8), at(1, 9)),
        record(contract, "late", (0, 9), at(1, 9, 50)),
        record(contract, "plain", (0, 10), at(3, 1)),
    ]
    lake.append(contract, rows)
    time = {CONTRACTS[contract].event_time: "TIMESTAMP '2026-01-01T12:00:00Z'"}
    judged = {"_errors": "make_array()", "_judged_at": "TIMESTAMP '2026-01-05T08:30:00Z'"}
    lake.judge_again(contract, "_offset = 3", time | judged)
    lake.prove(contract, {0: 10})


def _speed(lake: Lake) -> None:
    """The streams' tables: one final window, one that came later of the same day, one of a day that is open."""
    times = {"window_end": FIRST, "updated_at": FIRST}
    counts = [
        times | {"event_type": kind, "window_start": when, "count_events": 1, "is_final": final}
        for kind, when, final in (("final", at(1, 10), True), ("late", at(1, 11), False), ("open", at(2, 0), False))
    ]
    alerts = [
        {"payment_id": name, "rule": "velocity", "event_time": at(1, 10), "is_final": False, "count_payments": 5}
        for name in ("settled", "above the tidemark")
    ]
    rows: dict[str, list[Row]] = {"ride_counts": counts, "fraud_alerts": alerts}
    for name, table in TABLES.items():
        lake.leave_speed(name, rows.get(name, []), {column: kind for column, (kind, _) in table.columns.items()})


def _damage(lake: Lake) -> None:
    """Somebody empties tables of gold, and adds an hour of a day that has no rides."""
    gold = {name: DeltaTable(lake.root / "gold" / name) for name in DAMAGED}
    hours = gold["fct_rides_hourly"].to_pyarrow_table().slice(0, 1)
    for table in gold.values():
        table.delete()
    place = hours.schema.get_field_index("hour_at")
    moved = hours.set_column(place, hours.schema.field(place), [[at(1, 3)]])
    write_deltalake(lake.root / "gold" / "fct_rides_hourly", moved, mode="append")


def _third_chapter(lake: Lake) -> None:
    """The topic was deleted and made anew: its offsets begin at 0 again, below those that silver has."""
    lake.append(RIDES, [ride("anew", (0, 0), at(4, 10), _judged_at=FIRST - timedelta(days=1))], mode="overwrite")
    lake.prove(RIDES, {0: 1}, topic_id="T2")
