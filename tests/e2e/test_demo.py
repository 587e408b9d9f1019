"""The demo as a user sees it, with fewer events and topics; then what people do from Airflow's UI, by its REST API."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.e2e.lakehouse import CONTRACTS, Lakehouse, moments
from tests.e2e.streams_page import browser
from tests.exposition import EXPORTER, catalogue, scraped
from tests.streams import ride, wait_until
from tidemark.panels import PANELS, Panel
from tidemark.prometheus_api import charted, firing

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

TODAY = datetime.now(UTC).date()
# None of the last two: whichever of them the schedule has reconciled, a backfill leaves out.
LOST, SAME, AHEAD = DAYS = [TODAY - timedelta(days=ago) for ago in (5, 4, 3)]
MIDWAY = {"ride_events.source": "airflow-scheduler", "ride_events.prove": "airflow-api", "recompute": "warehouse"}
GOLD = ("fct_rides", "fct_rides_hourly")
RIDES = 40  # of each of these days
NOTHING_IS_GOOD = {"Until Kafka may forget what is not proven"}
WRONG = {
    "StreamRefused",
    "StreamStopped",
    "MissingCheckpoint",
    "GateFailed",
    "ReconcileDiffers",
    "ServiceDown",
    "ExporterGone",
}


@pytest.fixture(scope="module")
def lakehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    """Run the demo on topics with some older records; at the end, stop everything: no process may be left."""
    lakehouse = Lakehouse(tmp_path_factory.mktemp("demo") / "home")
    try:
        assert lakehouse.run("up", "streams").returncode == 0
        lakehouse.send("ride_events", (each for day in DAYS for each in rides_of(day)))
        demo = lakehouse.run("demo", "--scale", "0.02")
        assert demo.returncode == 0, demo.stdout + demo.stderr
        (lakehouse.home / "demo.txt").write_text(demo.stdout)
        yield lakehouse
    finally:
        down = lakehouse.run("down")
    assert down.returncode == 0
    assert lakehouse.processes() == []


def test_demo_ends_proven_and_all_is_up(lakehouse: Lakehouse) -> None:
    shown = (lakehouse.home / "demo.txt").read_text()
    assert shown.count(" 0/0/0 ") == len(CONTRACTS)
    assert "3 of 3 layers passed their gates" in shown
    for dag in ("reconcile_bronze", "build_marts"):
        assert runs_made_alone(lakehouse, dag) == [], "the demo's run was in the place of the scheduled one"
    status = lakehouse.status()
    assert [each["name"] for each in status["services"] if not each["ready"]] == []
    assert {(each["state"], each["last_error"]) for each in status["streams"]} == {("running", "")}
    proven = {each["name"]: each["quarantined_share"] for each in status["streams"] if each.get("complete_through")}
    assert proven.keys() == {f"bronze_{name}" for name in CONTRACTS}
    assert all(0 < share < 0.1 for share in proven.values())
    pages = re.findall(r"file://(\S+)", shown)
    assert len(pages) == 3 and all(Path(each).exists() for each in pages), pages


def test_streams_are_watched_announced_and_shown_in_airflow(lakehouse: Lakehouse) -> None:
    look = lakehouse.run("watch", "--json")
    assert (look.returncode, json.loads(look.stdout)["incidents"]) == (0, []), look.stderr
    wait_until(lambda: is_announced(lakehouse, "ride_events"), 60, "the streams make an asset event")
    streams = {each["name"]: "running" for each in lakehouse.status()["streams"]}
    with browser(lakehouse.settings) as page:
        assert "Not authenticated" in page.text_of("/streams/data")
        page.log_in()
        assert page.states("/plugin/streams") == streams
        page.picture(lakehouse.home / "streams.png")
        asset = lakehouse.airflow.asset("bronze/ride_events")
        assert page.states(f"/assets/{asset}") == {"bronze_ride_events": "running"}


def test_every_metric_of_the_exporter_is_told(lakehouse: Lakehouse) -> None:
    def untold() -> set[str]:
        return catalogue(EXPORTER).keys() - {name for name, _ in scraped(lakehouse.settings.metrics_port).values}

    def dags() -> dict[str, float]:
        return scraped(lakehouse.settings.metrics_port).by_label("dag_last_run_failed", "dag")

    # Where all is proven, nothing expires unproven.
    wait_until(lambda: untold() <= {"tidemark_source_expires_timestamp_seconds"}, 60, "each source was looked at")
    found = scraped(lakehouse.settings.metrics_port)
    services = {each["name"] for each in lakehouse.status()["services"]}
    assert found.by_label("service_up", "service") == dict.fromkeys(services, 1)
    # A look may be a quarter of a minute old, and the demo's last run may have ended since.
    wait_until(lambda: {"reconcile_bronze", "build_marts"} <= dags().keys(), 60, "the demo's runs were looked at")
    assert set(dags().values()) == {0}
    looks = found.by_label("look_timestamp_seconds", "source")
    assert len(looks) == 5 and all(time.time() - each < 60 for each in looks.values())


def test_every_panel_has_data_and_is_drawn_for_who_is_logged_in(lakehouse: Lakehouse) -> None:
    panels = [each for each in PANELS if each.title not in NOTHING_IS_GOOD]
    assert len(panels) == len(PANELS) - len(NOTHING_IS_GOOD) >= 25
    wait_until(lambda: empty(lakehouse, panels) == [], 60, "what the demo did was looked at, and asked for")
    assert {each["name"] for each in firing(lakehouse.settings)} & WRONG == set()
    with browser(lakehouse.settings) as page:
        for path in ("alerts", "panels/free", "files/page.js"):
            assert "Not authenticated" in page.text_of(f"/operations/{path}")
        page.log_in()
        for path in ("sum(up)", "free?minutes=5"):
            assert "no such panel" in page.text_of(f"/operations/panels/{path}")
        drawn = page.charts()
        page.picture(lakehouse.home / "operations.png")
    assert drawn.keys() == {panel.title for panel in PANELS}
    assert [panel.title for panel in panels if not drawn[panel.title]] == []


def test_days_are_put_right_by_backfill_and_large_changes_need_a_person(lakehouse: Lakehouse) -> None:
    lakehouse.airflow.pause("build_marts")  # what follows makes many runs of it: they only wait
    lose(lakehouse, LOST)
    known = [json.loads(value) for _, value in rides_of(AHEAD)]
    export(lakehouse, AHEAD, [*known, known[0] | {"event_id": "unheard of"}])
    export(lakehouse, SAME, [json.loads(value) | {"amount": 7.5} for _, value in rides_of(SAME)])

    states = lakehouse.backfilled("reconcile_bronze", DAYS, {})
    assert sorted(states.values()) == ["failed", "success", "success"]  # one changes too much for a job alone
    assert counts(lakehouse.audit("transport", "ride_events", LOST)) == [("done", RIDES, 0, RIDES)]
    assert counts(lakehouse.audit("source", "ride_events", AHEAD)) == [("done", 1, 0, 1)]
    assert counts(lakehouse.audit("source", "ride_events", SAME)) == [("refused", 0, RIDES, 0)]
    assert lakehouse.audit("recompute", "ride_counts", LOST)[-1]["outcome"] == "done"

    lakehouse.airflow.unpause("backfill_bronze")
    conf = {"contracts": ["ride_events"], "first": str(SAME), "last": str(SAME), "source": "exports", "path": "."}
    assert answered(lakehouse, "backfill_bronze", conf, "Reject") == ("success", "skipped")
    assert amounts(lakehouse, SAME) == {2.5}
    assert answered(lakehouse, "backfill_bronze", conf, "Approve") == ("success", "success")
    assert amounts(lakehouse, SAME) == {2.5, 7.5}
    assert counts(lakehouse.audit("source", "ride_events", SAME))[-1] == ("done", 0, RIDES, RIDES)
    assert "queued" in lakehouse.airflow.runs("build_marts").values(), "what follows is rebuilt"


def test_killed_in_the_middle_a_run_ends_in_the_same_table(lakehouse: Lakehouse) -> None:
    lakehouse.airflow.pause("build_marts")  # gold is built here
    before, gold_before = in_order(rides(lakehouse, LOST)), gold(lakehouse)
    lose(lakehouse, LOST)
    killed: list[str] = []

    def kill(tasks: dict[str, str]) -> None:
        if "a worker" not in killed and lakehouse.kill_worker("reconcile", "ride_events"):
            killed.append("a worker")
        for task, service in MIDWAY.items():
            if tasks.get(task) == "running" and service not in killed:
                lakehouse.kill(service)
                killed.append(service)

    run = lakehouse.airflow.trigger("reconcile_bronze", {"date": str(LOST)})
    assert lakehouse.wait("reconcile_bronze", run, kill) == "success"
    assert killed == ["a worker", *MIDWAY.values()]
    assert in_order(rides(lakehouse, LOST)) == before != []
    assert gold(lakehouse) == gold_before


def test_what_a_changed_contract_lets_pass_is_released_when_a_person_agrees(lakehouse: Lakehouse) -> None:
    at = moments(TODAY - timedelta(days=6), 1)[0]
    lakehouse.send("ride_events", [(at, event(at, number, amount=-3.0, event_type="refund")) for number in range(5)])
    path = lakehouse.contracts / "ride_events.yaml"
    path.write_text(path.read_text().replace("minimum: 0,", "minimum: -5,"))
    lakehouse.airflow.unpause("replay_quarantine")
    conf = {"contract": "ride_events", "reason": "range:amount", "dry_run": False}
    assert answered(lakehouse, "replay_quarantine", conf, "Reject") == ("success", "skipped")
    assert refunds(lakehouse) == 0
    assert answered(lakehouse, "replay_quarantine", conf, "Approve") == ("success", "success")
    assert refunds(lakehouse) == 5


def empty(lakehouse: Lakehouse, panels: list[Panel]) -> list[str]:
    """Name the panels that have no line with a value."""
    found = {panel.title: charted(lakehouse.settings, panel, 60)["lines"] for panel in panels}
    return [
        title
        for title, lines in found.items()
        if not any(value is not None for each in lines for value in each["values"])
    ]


def runs_made_alone(lakehouse: Lakehouse, dag: str) -> list[str]:
    """Give the runs of a DAG that its schedule has made, not an asset or a person."""
    return [run for run in lakehouse.airflow.runs(dag) if run.startswith("scheduled__")]


def answered(lakehouse: Lakehouse, dag: str, conf: dict[str, Any], answer: str) -> tuple[str, str]:
    """Trigger a DAG and answer its question; give the states of the run and of its task `apply`."""
    run = lakehouse.airflow.trigger(dag, conf)
    return lakehouse.answer(dag, run, answer), lakehouse.airflow.task_states(dag, run)["apply"]


def is_announced(lakehouse: Lakehouse, contract: str) -> bool:
    """Tell whether there is an event that says how far the streams have read."""
    told = [event["extra"] for event in lakehouse.airflow.asset_events(f"bronze/{contract}")]
    return any(each.get("table_version") and len(each["offsets"]) == 2 for each in told)


def rides_of(day: date) -> list[tuple[datetime, bytes]]:
    return [(at, event(at, number)) for number, at in enumerate(moments(day, RIDES))]


def event(at: datetime, number: int, **changes: Any) -> bytes:
    return ride(number, event_id=f"{at.date()}-{number}", ts=round(at.timestamp() * 1000), **changes)


def export(lakehouse: Lakehouse, day: date, events: list[dict[str, Any]]) -> None:
    folder = lakehouse.settings.exports_dir / "ride_events" / f"date={day}"
    folder.mkdir(parents=True)
    (folder / "rides.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))


def counts(entries: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(each["outcome"], each["missing"], each["different"], each["repaired"]) for each in entries]


def good_rides(lakehouse: Lakehouse) -> list[dict[str, Any]]:
    return [
        row for row in DeltaTable(lakehouse.table("ride_events")).to_pyarrow_table().to_pylist() if not row["_errors"]
    ]


def lose(lakehouse: Lakehouse, day: date) -> None:
    """Remove a day's rows by hand."""
    next_day = day + timedelta(days=1)
    DeltaTable(lakehouse.table("ride_events")).delete(f"event_time >= '{day}' AND event_time < '{next_day}'")


def rides(lakehouse: Lakehouse, day: date) -> list[dict[str, Any]]:
    """Give a day's rides without the times at which they landed."""
    ours = ("_ingested_at", "_judged_at", "_ingest_date")
    rows = (row for row in good_rides(lakehouse) if row["event_time"].date() == day)
    return [{name: value for name, value in row.items() if name not in ours} for row in rows]


def gold(lakehouse: Lakehouse) -> dict[str, list[str]]:
    """Build what is made of rides, and give its rows."""
    built = lakehouse.run("dbt", "--changed", "run", "--select", "stg_rides", *GOLD)
    assert built.returncode == 0, built.stdout
    rows = {name: DeltaTable(lakehouse.settings.table("gold", name)).to_pyarrow_table().to_pylist() for name in GOLD}
    return {name: in_order(each) for name, each in rows.items()}


def in_order(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, default=str) for row in rows)


def amounts(lakehouse: Lakehouse, day: date) -> set[float]:
    return {row["amount"] for row in good_rides(lakehouse) if row["event_time"].date() == day}


def refunds(lakehouse: Lakehouse) -> int:
    return sum(row["event_type"] == "refund" for row in good_rides(lakehouse))
