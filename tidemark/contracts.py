"""Contracts: one YAML file per topic, validated when read.

The words are those of the Open Data Contract Standard where it has one. A contract is data: it can pass no option to
Kafka or Spark, and unknown fields are refused.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from tidemark import debezium
from tidemark.contract_fields import Misfit, Name, Number, Part, Pattern, Topic, WireName, Within, seconds_within
from tidemark.contract_rules import refuse_misfits, refuse_vague_check, topic_problems
from tidemark.errors import TidemarkError
from tidemark.yaml_source import YamlSource, explained

LogicalType = Literal["string", "integer", "number", "boolean", "timestamp", "date"]
Format = Literal["json", "avro", "debezium"]
Compatibility = Literal["BACKWARD", "FORWARD", "FULL"]
Metric = Literal[
    "nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount", "freshness", "quarantinedRows"
]
Layer = Literal["bronze", "silver", "gold"]

BRONZE = "bronze_"  # begins the names of the streams that fill bronze


class ContractError(TidemarkError):
    """A contract file is wrong; every problem is listed with file, line and field."""


class Column(Part):
    """One column of the contract: where it comes from, its type and its limits.

    In a Debezium contract, `from` is a column of the row or, with two underscores before it, a field of the envelope.
    """

    name: Name
    logical_type: LogicalType = Field(alias="logicalType")
    description: str = ""
    required: bool = False
    pii: bool = False
    source: Literal["value", "key", "header"] = "value"
    wire_name: WireName | None = Field(None, alias="from")
    unit: str | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    max_length: int | None = Field(None, alias="maxLength", ge=1, le=10_000_000, strict=True)
    pattern: Pattern | None = None
    enum: tuple[str, ...] | None = Field(None, min_length=1)
    open_set: bool = Field(False, alias="openSet")

    @property
    def wire(self) -> str:
        """The name under which the record carries it."""
        return self.wire_name or self.name

    @model_validator(mode="after")
    def _limits_fit_the_type(self) -> Self:
        numeric = self.logical_type in ("integer", "number")
        text = self.logical_type == "string"
        misfits = [
            ("minimum", self.minimum is not None and not numeric, "integer and number"),
            ("maximum", self.maximum is not None and not numeric, "integer and number"),
            ("maxLength", self.max_length is not None and not text, "string"),
            ("pattern", self.pattern is not None and not text, "string"),
            ("enum", self.enum is not None and not text, "string"),
            ("source", self.source != "value" and not text, "string"),
            ("openSet", self.open_set and (not text or self.enum is not None), "string without an enum"),
        ]
        for limit, misfit, allowed in misfits:
            if misfit:
                raise Misfit(f"found {limit} on {self.logical_type}; allowed on {allowed}", limit)
        if self.logical_type == "timestamp" and self.unit not in (None, "s", "ms", "us"):
            raise Misfit(f"found {self.unit!r}; allowed is s, ms, us or none (ISO 8601 text)", "unit")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise Misfit(f"found {self.minimum}; allowed is at most maximum, {self.maximum}", "minimum")
        return self


class Check(Part):
    """One quality check, with its consequence."""

    metric: Metric
    columns: tuple[Name, ...] = ()
    must_be: Number | None = Field(None, alias="mustBe")
    must_be_greater_than: Number | None = Field(None, alias="mustBeGreaterThan")
    must_be_less_than: Number | None = Field(None, alias="mustBeLessThan")
    unit: Literal["rows", "percent"] = "rows"
    within: Within | None = None
    layer: Layer = "bronze"
    severity: Literal["fail", "warn"] = "fail"

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> Self:
        refuse_vague_check(self)
        return self

    @property
    def within_seconds(self) -> int:
        """`within` in seconds; 0 where the check has none."""
        return seconds_within(self.within or "")


class Silence(Part):
    """When a source is silent: a value of the column that sends nothing for longer."""

    column: Name
    within: Within

    @property
    def within_seconds(self) -> int:
        """`within` in seconds."""
        return seconds_within(self.within)


class Contract(Part):
    """What a topic's records must be, and what is checked of its tables.

    `change_order` says which of two changes of a key is the newer one; `mirror`, whether the good records are copied
    to `<topic>.clean` and the bad ones to `<topic>.dlq`; `retain_days`, for how long bronze keeps a day of ingest.
    """

    id: Name
    version: str = Field("1.0.0", pattern=r"^\d+\.\d+\.\d+$")
    owner: Name
    description: str
    topic: Topic
    format: Format
    compatibility: Compatibility = "BACKWARD"
    key: tuple[Name, ...] = Field(min_length=1)
    event_time: Name = Field(alias="eventTime")
    change_order: tuple[Name, ...] = Field((), alias="changeOrder", min_length=1)
    tombstone: Literal["quarantine", "delete"] = "quarantine"
    silence: Silence | None = None
    mirror: bool = False
    retain_days: int | None = Field(None, alias="retainDays", ge=1, le=36_500, strict=True)
    columns: tuple[Column, ...] = Field(alias="schema", min_length=1, max_length=500)
    quality: tuple[Check, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}

    def always_has(self, column: Column) -> bool:
        """Tell whether every good row has a column: a delete need not have all that is required."""
        return debezium.required_of_delete(self, column) if self.format == "debezium" else column.required

    @property
    def bronze_query(self) -> str:
        """The name of the stream that fills its bronze table."""
        return f"{BRONZE}{self.id}"

    @property
    def clean_topic(self) -> str:
        """The topic that a mirror copies the good records to."""
        return f"{self.topic}.clean"

    @property
    def dlq_topic(self) -> str:
        """The topic that a mirror copies the bad records to."""
        return f"{self.topic}.dlq"

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Self:
        refuse_misfits(self)
        return self


def read_contract(path: Path) -> Contract:
    """Read one contract file.

    Raises:
        ContractError: with every problem as `file:line: field: found …; allowed …`.
    """
    return _read(path)[0]


def read_contracts(folder: Path) -> dict[str, Contract]:
    """Read all contracts of a folder, by id.

    Raises:
        ContractError: any file is wrong (all problems of all files are listed), or two write to one topic.
    """
    if not folder.is_dir():
        raise ContractError(
            f"{folder}: there is no such folder", "set TIDEMARK_CONTRACTS_DIR to the folder of contracts"
        )
    contracts: dict[str, Contract] = {}
    sources: dict[str, YamlSource] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            contract, source = _read(path)
            contracts[contract.id], sources[contract.id] = contract, source
        except ContractError as error:
            problems.append(error.what)
    problems += [f"{path.name}:1: file: found .yml; allowed is .yaml" for path in sorted(folder.glob("*.yml"))]
    problems += topic_problems(contracts.values(), lambda contract: sources[contract.id].at(["topic"]))
    if problems:
        raise ContractError("\n".join(problems), "correct the lines above; CONTRIBUTING.md shows a contract")
    return contracts


def find_contract(contracts: dict[str, Contract], name: str) -> Contract:
    """Give one contract by id.

    Raises:
        ContractError: there is none; it lists those there are.
    """
    if name not in contracts:
        raise ContractError(f"contract: found {name!r}; allowed are {', '.join(contracts)}", "name one of them")
    return contracts[name]


def _read(path: Path) -> tuple[Contract, YamlSource]:
    try:
        source = YamlSource(path.name, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: cannot be read: {error}", "check the file") from None
    except yaml.YAMLError as error:
        raise ContractError(explained(path.name, error), "correct the file") from None
    try:
        contract = Contract.model_validate(source.data, by_name=False)
    except ValidationError as error:
        problems = (source.told(dict(problem), _fields_around) for problem in error.errors())
        raise ContractError("\n".join(problems), "correct the lines above; CONTRIBUTING.md shows a contract") from None
    if path.stem != contract.id:
        problem = f"{source.at(['id'])}: found {contract.id!r}; allowed is the file's name {path.stem!r}"
        raise ContractError(problem, "rename the file or the contract")
    return contract, source


def _fields_around(where: Sequence[str | int]) -> list[str]:
    inner: dict[str | int, type[Part]] = {"schema": Column, "quality": Check, "silence": Silence}
    parts = inner if len(where) > 1 else {}
    return [field.alias or name for name, field in parts.get(where[0], Contract).model_fields.items()]
