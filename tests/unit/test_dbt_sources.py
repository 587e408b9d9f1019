"""dbt's sources are the contracts' tables, and dbt is started with all settings."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from pyspark.sql import types as T

from streaming.current_table import change_schema
from streaming.schema import bronze_schema
from streaming.streams.layers import layers_of
from tidemark import dbt
from tidemark.contracts import Contract, read_contracts
from tidemark.ops_tables import SCHEMAS
from tidemark.settings import ROOT, Settings

pytestmark = pytest.mark.unit

CONTRACTS = read_contracts(ROOT / "contracts")
WRITTEN = {
    pa.string(): "string",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.timestamp("us", "UTC"): "timestamp",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.float64(): "double",
}


def sources(contracts: dict[str, Contract] = CONTRACTS) -> dict[str, dict[str, str]]:
    """Give the type of each column of each source table."""
    parsed = yaml.safe_load(dbt.sources_yaml(contracts))
    return {
        f"{source['name']}.{table['name']}": {each["name"]: each["data_type"] for each in table["columns"]}
        for source in parsed["sources"]
        for table in source["tables"]
    }


def types(schema: T.StructType) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in schema.fields}


def declared(columns: str) -> dict[str, str]:
    """Give the type of each column of a DDL text."""
    return {name: kind.replace(" ", "") for name, kind in re.findall(r"(\w+) (array<.*?>>|\w+)(?:, |$)", columns)}


def test_the_sources_are_those_of_the_contracts() -> None:
    made = dbt.sources_yaml(CONTRACTS)
    assert made == dbt.SOURCES.read_text(), f"the contracts have changed: run `{dbt.SOURCES_COMMAND}`"


def test_every_contract_has_a_source_with_the_types_that_bronze_has() -> None:
    found = sources()
    assert len(CONTRACTS) >= 2
    for contract in CONTRACTS.values():
        assert found[f"bronze.{contract.id}"] == types(bronze_schema(contract))


def test_the_ops_tables_have_the_columns_that_are_written() -> None:
    found = {name: types for name, types in sources().items() if name.startswith("ops.")}
    expected = {f"ops.{name}": {each.name: WRITTEN[each.type] for each in schema} for name, schema in SCHEMAS.items()}
    assert found == expected
    assert len(found) >= 4


def test_every_table_of_the_speed_layer_is_a_source_with_the_columns_that_are_written() -> None:
    found = {name: types for name, types in sources().items() if name.startswith("speed.")}
    written = {"is_final": "boolean", "updated_at": "timestamp"}
    expected = {f"speed.{layer.name}": declared(layer.columns) | written for layer in layers_of(CONTRACTS)}
    changes = [contract for contract in CONTRACTS.values() if contract.change_order]
    for contract in changes:
        columns = {each.name: WRITTEN[each.type] for each in change_schema(contract)}
        expected |= {f"speed.{contract.id}": columns, f"speed.{contract.id}_history": columns}
    assert found == expected
    assert len(expected) == 11


def test_a_speed_table_without_its_contracts_is_no_source() -> None:
    only = {name: CONTRACTS[name] for name in ("card_payments", "ride_events")}
    assert {name for name in sources(only) if name.startswith("speed.")} == {
        *("speed.ride_counts", "speed.fraud_alerts", "speed.payment_rides")
    }


def test_the_order_of_the_contracts_does_not_matter() -> None:
    assert dbt.sources_yaml(dict(reversed(CONTRACTS.items()))) == dbt.sources_yaml(CONTRACTS)


def test_every_column_is_described() -> None:
    parsed = yaml.safe_load(dbt.sources_yaml(CONTRACTS))
    columns = [each for source in parsed["sources"] for table in source["tables"] for each in table["columns"]]
    assert len(columns) > 40
    assert [each["name"] for each in columns if not each["description"]] == []


@pytest.mark.parametrize("text", ["{{ env_var('HOME') }}", "{% raw %}", "{# gone #}"])
def test_a_contracts_words_are_no_template(text: str) -> None:
    from jinja2 import Environment

    contract = CONTRACTS["ride_events"].model_copy(update={"description": f"Look: {text}"})
    parsed = yaml.safe_load(dbt.sources_yaml({contract.id: contract}))
    written = parsed["sources"][0]["tables"][0]["description"]
    assert written != f"Look: {text}"
    assert Environment(autoescape=False).from_string(written).render() == f"Look: {text}"  # noqa: S701 - no HTML


def test_dbt_gets_every_setting_and_keeps_its_state_under_the_home(tmp_path: Path) -> None:
    environment = dbt.environment(Settings(home=tmp_path, port_offset=7))
    assert environment["TIDEMARK_PORT_OFFSET"] == "7"
    assert Path(environment["DBT_TARGET_PATH"]).is_relative_to(tmp_path)
    assert Path(environment["DBT_LOG_PATH"]).is_relative_to(tmp_path)
    assert environment["DBT_PROJECT_DIR"] == environment["DBT_PROFILES_DIR"] == str(ROOT / "dbt_project")
    assert environment["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert environment["TIDEMARK_DBT_CONTRACTS"].split() == sorted(CONTRACTS)


def test_dbt_is_the_one_of_this_environment() -> None:
    assert dbt.command(["build", "--select", "silver"])[1:] == ["build", "--select", "silver"]
    assert Path(dbt.command([])[0]).exists()
