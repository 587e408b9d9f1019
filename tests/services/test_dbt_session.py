"""dbt's target `session`: dbt on a driver of its own process, without a warehouse."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from pyspark.sql import SparkSession

from streaming.dbt_session import refusal, run
from tests.dbt_lake import Lake, at, record
from tests.gated import interpreted
from tidemark import dbt
from tidemark.settings import Settings

pytestmark = pytest.mark.services

CONTRACT = "sensor_readings"
MODELS = ("stg_sensor_readings", "fct_sensor_health")
BUILD = ("--quiet", "build", "--target", "session", "--select", *MODELS)


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Iterator[Lake]:
    """Give a lake with readings, and take what dbt makes of them from the shared session's catalog."""
    lake = Lake(tmp_path / "lake")
    lake.append(CONTRACT, [record(CONTRACT, name, (0, n), at(1, 10)) for n, name in enumerate(("plain", "late"))])
    lake.prove(CONTRACT, {0: 2})
    with interpreted(spark), patch.dict(os.environ):
        yield lake
    for layer in ("bronze", "quarantine", "ops", "speed", "silver", "gold"):
        spark.sql(f"drop schema if exists {layer} cascade")


def test_the_models_of_a_contract_are_built_and_tested_on_a_driver_of_ones_own(lake: Lake) -> None:
    assert run(Settings(home=lake.root.parent), BUILD)
    assert sorted(row["reading_id"] for row in lake.rows("silver/stg_sensor_readings")) == ["late", "plain"]
    (day,) = lake.rows("gold/fct_sensor_health")
    assert (day["reading_date"], day["count_readings"], day["count_anomalies"]) == (at(1, 0).date(), 2, 0)


def test_a_warehouse_that_runs_keeps_its_catalog_to_itself(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as warehouse:
        ports = {"TIDEMARK_CONNECT_PORT": warehouse.getsockname()[1]}
        own = Settings.model_validate({"home": tmp_path, "port_offset": 0} | ports)
        assert refusal(own).startswith("the warehouse runs")
    assert refusal(own) == ""


def test_the_command_line_takes_the_target_for_what_it_is() -> None:
    assert dbt.command(["build", "--target", "session"])[1:3] == ["-m", "streaming.dbt_session"]
    assert dbt.command(["build", "--target", "warehouse"])[1:] == ["build", "--target", "warehouse"]
