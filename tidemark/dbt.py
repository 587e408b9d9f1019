"""dbt: how it is started, and its sources, which are made from the contracts."""

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import yaml

from tidemark import bronze, dbt_changed, models, ops_columns
from tidemark.contracts import Column, Contract, read_contracts
from tidemark.dbt_manifest import PROJECT, places, program
from tidemark.services import settings_environment
from tidemark.settings import Settings
from tidemark.speed_columns import speed_sources

SOURCES = PROJECT / "models" / "sources.yml"
SOURCES_COMMAND = "tidemark dbt-sources"

SESSION = ("--target", "session")

SQL_TYPES = {
    "string": "string",
    "integer": "bigint",
    "number": "double",
    "boolean": "boolean",
    "timestamp": "timestamp",
    "date": "date",
}

_COMPLETE_THROUGH = (
    "select min(complete_through) from ops.tidemarks where certificate_id = "
    "(select max_by(certificate_id, written_at) from ops.tidemarks where contract = '{contract}')"
)

# name: type, description
ENVELOPE: Mapping[str, tuple[str, str]] = {
    bronze.TOPIC: ("string", "Topic of the record; with partition and offset the row's identity, for ever."),
    bronze.PARTITION: ("int", "Partition of the topic."),
    bronze.OFFSET: ("bigint", "Offset in the partition."),
    bronze.KAFKA_TIME: ("timestamp", "Kafka's timestamp of the record."),
    bronze.KEY: ("binary", "The record's key as Kafka has it."),
    bronze.VALUE: ("binary", "The record's value as Kafka has it; null is a tombstone."),
    bronze.HEADERS: ("array<struct<key:string,value:binary>>", "The record's headers as Kafka has them."),
    bronze.SCHEMA_ID: ("int", "The registered schema that it was decoded with, if any."),
    bronze.CONTRACT_VERSION: ("string", "The version of the contract that it was judged by."),
    bronze.ERRORS: ("array<string>", "Empty for a good record, else why it is quarantined: one code and field each."),
    bronze.INGESTED_AT: ("timestamp", "When it landed."),
    bronze.JUDGED_AT: ("timestamp", "When it was last judged; a replay sets it."),
    bronze.INGEST_DATE: ("date", "The UTC day on which it landed; the table's partition."),
}


def environment(settings: Settings) -> dict[str, str]:
    """Give dbt's variables: where its project is, that its state goes under the home, and all settings."""
    own = {"DBT_PROJECT_DIR": str(PROJECT), "DBT_PROFILES_DIR": str(PROJECT)}
    return settings_environment(settings) | own | places(settings)


def command(arguments: Sequence[str]) -> list[str]:
    """Give the command that runs the dbt of this environment; the target `session` is a driver of its own."""
    own_driver = SESSION in pairwise(arguments)
    return [*([sys.executable, "-m", "streaming.dbt_session"] if own_driver else [program()]), *arguments]


def become_dbt(settings: Settings, arguments: Sequence[str]) -> None:
    """Replace this process by dbt; say first which models there are no contracts for."""
    _say_what_is_left_out(settings)
    line = command(arguments)
    os.execve(line[0], line, os.environ | environment(settings))


def build_changed(settings: Settings, arguments: Sequence[str]) -> None:
    """Run dbt for the models that have news, and end this process as dbt ended."""
    _say_what_is_left_out(settings)
    sys.exit(dbt_changed.build_changed(settings, command(arguments), os.environ | environment(settings)))


def _say_what_is_left_out(settings: Settings) -> None:
    for model, missing in models.left_out(read_contracts(settings.contracts_dir)).items():
        print(f"{model} is left out: there is no contract {', '.join(missing)}", file=sys.stderr)


def sources_yaml(contracts: Mapping[str, Contract]) -> str:
    """Write dbt's sources: the tables that others make, with every column's type and description."""
    sources = [_bronze(contracts.values()), _ops(), _speed(contracts.values())]
    text = yaml.safe_dump({"version": 2, "sources": sources}, sort_keys=False, width=110, allow_unicode=True)
    return f"# Made from contracts/*.yaml by `{SOURCES_COMMAND}`. Don't edit it: run that.\n{text}"


def _bronze(contracts: Iterable[Contract]) -> dict[str, Any]:
    tables = [_bronze_table(contract) for contract in sorted(contracts, key=lambda contract: contract.id)]
    described = "One row per Kafka record and per row that a repair took from an export, good and bad alike."
    return {"name": "bronze", "description": described, "tables": tables}


def _bronze_table(contract: Contract) -> dict[str, Any]:
    columns = [_column(name, *rest) for name, rest in ENVELOPE.items()]
    columns += [_column(each.name, SQL_TYPES[each.logical_type], _described(each)) for each in contract.columns]
    return _table(contract.id, contract.description, "make stream-up", columns, _freshness(contract))


def _freshness(contract: Contract) -> dict[str, Any]:
    """Have dbt judge freshness by how far the newest proof says that the topic is complete."""
    limits = [check.within for check in contract.quality if check.metric == "freshness" and check.within]
    if not limits:
        return {}
    count, period = limits[0].split()
    return {
        "loaded_at_query": _COMPLETE_THROUGH.format(contract=contract.id),
        "freshness": {"warn_after": {"count": int(count), "period": period.removesuffix("s")}},
    }


def _described(column: Column) -> str:
    """A time's unit says how the record carries it; in the table it is a timestamp."""
    unit = column.unit if column.logical_type != "timestamp" else None
    return f"{column.description} Unit: {unit}." if unit else column.description


def _ops() -> dict[str, Any]:
    tables = [
        _table(name, text, made_by, [_column(each, *rest) for each, rest in columns.items()])
        for name, (made_by, text, columns) in ops_columns.TABLES.items()
    ]
    return {"name": "ops", "description": "What Tidemark knows about its own tables.", "tables": tables}


def _speed(contracts: Iterable[Contract]) -> dict[str, Any]:
    tables = [
        _table(
            name, table.description, "make stream-up", [_column(each, *rest) for each, rest in table.columns.items()]
        )
        for name, table in speed_sources(contracts, SQL_TYPES).items()
    ]
    return {"name": "speed", "description": "What the always-on streams compute.", "tables": tables}


def _table(
    name: str, description: str, made_by: str, columns: list[dict[str, str]], more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    config = {"meta": {"made_by": made_by}, **(more or {})}
    return {"name": name, "description": _literal(description), "config": config, "columns": columns}


def _column(name: str, data_type: str, description: str) -> dict[str, str]:
    return {"name": name, "data_type": data_type, "description": _literal(description)}


def _literal(text: str) -> str:
    """Keep dbt, which renders descriptions, from taking a contract's words for a template."""
    return re.sub(r"\{[{%#]", lambda found: "{{ '" + found[0] + "' }}", text)
