"""The exporter on a lake written without an engine: what it tells of each source, and that it tells no more."""

import logging
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.exposition import EXPORTER, Exposition, catalogue, scraped, text_of
from tests.kafka import free_ports
from tests.streams import wait_until
from tests.trusted import NOW, trusted_lake, verdict_of
from tidemark.contracts import read_contracts
from tidemark.exporter import Exporter, all_parts, serve
from tidemark.gate_verdicts import keep_verdict
from tidemark.incidents import Finding, remember
from tidemark.metric_sources import airflow, kafka
from tidemark.ports import is_open
from tidemark.reconciliations import Reconciliation, record
from tidemark.settings import ROOT, Settings
from tidemark.table_looks import gate_file

pytestmark = pytest.mark.unit

LAKE = ("lake", "services", "machine")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"), port_offset=30_000)
    trusted_lake(settings)
    return settings


@pytest.fixture
def exporter(settings: Settings) -> Exporter:
    return Exporter(all_parts(settings, read_contracts(ROOT / "contracts")))


def looked(exporter: Exporter, *sources: str) -> Exposition:
    for source in sources or LAKE:
        exporter.look(source)
    return Exposition(exporter.collect())


def reconciled(subject: str, day: int, missing: int, repaired: int, **changes: Any) -> Reconciliation:
    own: dict[str, Any] = {
        "level": "transport",
        "outcome": "done",
        "compared": 9,
        "extra": 0,
        "different": 0,
        "rejected": None,
    }
    own |= {"table_version": 1, "seconds": 1.0, "missing": missing, "repaired": repaired}
    return Reconciliation(subject=subject, day=date(2026, 11, day), **own | changes)


def test_every_metric_is_in_the_catalogue_and_every_one_of_it_is_exposed(exporter: Exporter) -> None:
    found = looked(exporter)
    others = Exposition([*kafka.families({("s", "t"): 1}, {"c": 1.0}), *airflow.families({})])
    assert found.names | others.names == set(catalogue(EXPORTER))
    for name, labels in (found.label_names() | others.label_names()).items():
        assert catalogue(EXPORTER)[name] == labels, name


def test_tables_are_counted_and_one_that_grows_is_seen(settings: Settings, exporter: Exporter) -> None:
    found = looked(exporter)
    assert found.value("table_files", table="bronze.ride_events") == 16
    assert found.value("table_partition_files", table="bronze.ride_events") == 1
    assert found.value("table_partition_files", table="silver.stg_rides") == 1
    assert (found.value("table_bytes", table="bronze.ride_events") or 0) > 1000


def test_proofs_gates_reconciles_and_incidents_are_told_and_move(settings: Settings, exporter: Exporter) -> None:
    found = looked(exporter)
    through = found.by_label("complete_through_timestamp_seconds", "contract")
    assert set(through) == {"ride_events", "sales_events", "customers"}
    assert NOW.timestamp() - 3600 < through["ride_events"] < NOW.timestamp()
    assert found.by_label("gate_passed", "table") == dict.fromkeys(
        ("bronze.ride_events", "silver.stg_rides", "gold.fct_rides_hourly", "bronze.sales_events"), 1
    )
    assert found.by_label("reconcile_differences", "contract") == {}
    assert set(found.by_label("incidents_open", "kind").values()) == {0}

    keep_verdict(settings, verdict_of("bronze.ride_events", datetime.now(UTC), 13, "fail"))
    for each in (
        reconciled("ride_events", 1, 3, 1),
        reconciled("ride_events", 2, 5, 5),
        reconciled("customers", 1, 1, 0),
    ):
        record(settings, each)
    record(settings, reconciled("ride_events", 1, 7, 0, level="recompute"))
    record(settings, reconciled("ride_events", 1, 2, 0, level="source", extra=1))
    remember(settings, [Finding("stuck", "ride_counts", NOW, "it hangs", "x.md")], NOW)
    found = looked(exporter)
    assert found.value("gate_passed", table="bronze.ride_events") == 0
    assert found.by_label("reconcile_differences", "contract") == {"ride_events": 2 + 3, "customers": 1}
    assert found.value("incidents_open", kind="stuck") == 1
    record(settings, reconciled("ride_events", 1, 0, 0))
    remember(settings, [], NOW)
    found = looked(exporter)
    assert found.value("reconcile_differences", contract="ride_events") == 3
    assert found.value("incidents_open", kind="stuck") == 0


def test_a_checkpoint_that_is_gone_is_missed(settings: Settings, exporter: Exporter) -> None:
    metadata = settings.checkpoint("ride_counts") / "metadata"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("{}")
    found = looked(exporter)
    assert found.value("checkpoint_present", stream="ride_counts") == 1
    assert found.value("checkpoint_bytes", stream="ride_counts") == 2
    assert found.value("checkpoint_present", stream="bronze_ride_events") == 0, "its table has rows"
    metadata.unlink()
    found = looked(exporter)
    assert found.value("checkpoint_present", stream="ride_counts") == 0
    assert found.value("checkpoint_bytes", stream="ride_counts") is None


def test_a_part_that_fails_stays_as_it_was_and_says_so_once(
    settings: Settings, exporter: Exporter, caplog: pytest.LogCaptureFixture
) -> None:
    before = looked(exporter)
    file = gate_file(settings, "bronze.ride_events")
    good = file.read_text()
    file.write_text("no verdict")
    keep_verdict(settings, verdict_of("bronze.sales_events", datetime.now(UTC), 14, "fail"))
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            after = looked(exporter)
    assert after.value("gate_passed", table="bronze.sales_events") == 1, "what was told last"
    assert after.value("table_files", table="bronze.ride_events") == 16, "others go on"
    seen = {source: after.value("look_timestamp_seconds", source=source) for source in LAKE}
    earlier = {source: before.value("look_timestamp_seconds", source=source) for source in LAKE}
    assert seen["lake"] == earlier["lake"] and seen["machine"] != earlier["machine"]
    assert [record.getMessage().partition(": JSON")[0] for record in caplog.records] == ["lake: can't look at gates"]
    file.write_text(good)
    assert looked(exporter).value("gate_passed", table="bronze.sales_events") == 0


def test_it_answers_while_sources_are_away_and_ends_when_told(tmp_path: Path) -> None:
    port, kafka_port, airflow_port = free_ports(3)
    ports = {"TIDEMARK_METRICS_PORT": port, "TIDEMARK_KAFKA_PORT": kafka_port, "TIDEMARK_AIRFLOW_PORT": airflow_port}
    settings = Settings.model_validate({"home": tmp_path} | ports)
    stop = threading.Event()
    serving = threading.Thread(target=serve, args=(settings, stop))
    serving.start()
    try:
        wait_until(lambda: is_open("127.0.0.1", port) and "tidemark_service_up{" in text_of(port), 20, "it has looked")
        wait_until(lambda: scraped(port).value("disk_free_bytes") is not None, 20, "it has looked at the machine")
        found = scraped(port)
        assert found.value("service_up", service="kafka") == 0
        assert found.value("service_up", service="metrics") == 1
        assert 0 < (found.value("disk_free_bytes") or 0) < (found.value("disk_size_bytes") or 0)
        assert 0 < (found.value("memory_available_bytes") or 0) < (found.value("memory_size_bytes") or 0)
    finally:
        stop.set()
        serving.join(30)
    assert not serving.is_alive()
