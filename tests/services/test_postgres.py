"""Airflow's metadata and the warehouse's catalog on a real Postgres, by settings alone; each password in a file."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch
from urllib.parse import quote

import psutil
import pytest

from tests.postgres import PASSWORD, USER, Postgres, running_postgres
from tests.warehouse import running_warehouse
from tidemark import airflow_env
from tidemark.settings import Settings

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


def test_a_view_of_one_warehouse_is_in_the_catalog_of_the_next(tmp_path: Path, postgres: Postgres) -> None:
    own = {"catalog_url": postgres.database("catalog"), "catalog_password_file": str(postgres.password_file)}
    lake = str(tmp_path / "lake")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with running_warehouse(tmp_path / "one", lake=lake, **own) as one:
        one.sql("create schema bronze")
        one.sql("create view bronze.rides as select 7 as id")
        lines = (" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"]))
        assert not [line for line in lines if PASSWORD in line]
    with running_warehouse(tmp_path / "two", lake=lake, **own) as two:
        assert two.sql("select id from bronze.rides") == [(7,)]
    assert postgres.sql("catalog", 'select "TBL_NAME" from "TBLS"') == ["rides"]


def test_airflow_makes_its_tables_there(tmp_path: Path, postgres: Postgres) -> None:
    address = postgres.database("airflow").replace("postgresql://", "postgresql+psycopg2://")
    secret = tmp_path / "address"
    secret.write_text(address.replace(f"{USER}@", f"{USER}:{quote(PASSWORD)}@"))
    settings = Settings(home=tmp_path, port_offset=0)
    airflow_env.make_secrets(settings)
    with patch.dict(os.environ, {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": f"cat {secret}"}):
        airflow_env.migrate(settings)
        environment = os.environ | airflow_env.airflow_environment(settings)
        command = [airflow_env.airflow_program(settings), "db", "check"]
        assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
    assert airflow_env.POOL in postgres.sql("airflow", "select pool from slot_pool")
    assert not (airflow_env.folder(settings) / "airflow.db").exists()
