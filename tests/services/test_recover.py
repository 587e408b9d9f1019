"""The disaster drill: the lake comes to another folder, its home is gone, and every offset is still there once."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from streaming.streams.bronze import BronzeStream
from tests.kafka import Broker
from tests.proving import environment, run_prove
from tests.streams import land, positions, ride, ride_contract, rows, send, settings_in
from tests.warehouse import Warehouse
from tidemark.cli import recovery
from tidemark.contracts import Contract
from tidemark.settings import Settings

pytestmark = pytest.mark.services
pytest_plugins = ("tests.warehouse",)


def recovered(settings: Settings, *options: str) -> tuple[int, dict[str, Any]]:
    """Run `tidemark recover`; give its exit code, and what it found by name."""
    app = typer.Typer()
    recovery.register(app)
    ports = {"TIDEMARK_THRIFT_PORT": settings.thrift_port, "TIDEMARK_CONNECT_PORT": settings.connect_port}
    known = environment(settings) | {name: str(port) for name, port in ports.items()} | {"TIDEMARK_PORT_OFFSET": "0"}
    answer = CliRunner().invoke(app, ["recover", "--json", *options], env=known)
    assert answer.stdout, answer.exception
    return answer.exit_code, {each["name"]: each for each in json.loads(answer.stdout)}


def sent_and_landed(kafka: Broker, settings: Settings, contract: Contract, spark: SparkSession, first: int) -> None:
    """Send twenty records and let the stream take them."""
    send(kafka, contract.topic, (ride(number) for number in range(first, first + 20)))
    land(BronzeStream(contract, settings), spark)


def test_a_lake_whose_home_is_lost_goes_on_elsewhere(
    tmp_path: Path, kafka: Broker, spark: SparkSession, warehouse: Warehouse
) -> None:
    warehouse.clear()
    contract = ride_contract(tmp_path / "contracts", kafka.topic(partitions=2))
    lost = settings_in(tmp_path / "lost", kafka)
    sent_and_landed(kafka, lost, contract, spark, 0)
    new_lake = Path(warehouse.settings.lake_root)
    shutil.copytree(lost.lake_root, new_lake, dirs_exist_ok=True)
    shutil.rmtree(lost.home)
    ports = {"TIDEMARK_THRIFT_PORT": warehouse.settings.thrift_port}
    ports |= {"TIDEMARK_CONNECT_PORT": warehouse.settings.connect_port}
    found = settings_in(warehouse.settings.home, kafka, contracts_dir=tmp_path / "contracts", **ports)

    exit_code, told = recovered(found)
    assert (exit_code, told["bronze_ride_events"]["state"], told["catalog"]["state"]) == (0, "anew", "ok")
    assert "its checkpoint is lost" in told["bronze_ride_events"]["what"]
    sent_and_landed(kafka, found, contract, spark, 20)

    assert len(set(positions(rows(found, contract)))) == len(rows(found, contract)) == 40
    assert run_prove(found, contract.id, "--wait", "0").exit_code == 0
    assert warehouse.sql("select count(*) from bronze.ride_events") == [(40,)]
    assert warehouse.sql("select count(*) from quarantine.ride_events") == [(0,)]
    exit_code, told = recovered(found, "--no-catalog")
    assert (exit_code, told["bronze_ride_events"]["state"]) == (0, "ok")

    part = next(new_lake.glob("bronze/ride_events/_ingest_date=*/*.parquet"))
    part.unlink()  # as a copy that took the data before the log
    exit_code, told = recovered(found, "--no-catalog")
    assert exit_code == 1 and part.name in told["bronze.ride_events"]["what"] and "catalog" not in told
