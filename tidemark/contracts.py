"""Contracts: one YAML file per topic, validated when read.

The words are those of the Open Data Contract Standard where it has one. A contract is data: it can pass no option to
Kafka or Spark, and unknown fields are refused.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from tidemark.errors import TidemarkError
from tidemark.names import NAME, TOPIC, is_name, is_topic
from tidemark.patterns import unlike_in_java
from tidemark.yaml_source import YamlSource, explained, shown

LogicalType = Literal["string", "integer", "number", "boolean", "timestamp", "date"]
Metric = Literal["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount", "freshness"]
Layer = Literal["bronze", "silver", "gold"]

_WITHIN = re.compile(r"(\d+) (second|minute|hour|day)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class ContractError(TidemarkError):
    """A contract file is wrong; every problem is listed with file, line and field."""


class _Misfit(ValueError):
    """Fields do not fit together; `where` is the one to look at, from the part that was validated."""

    def __init__(self, what: str, *where: str | int) -> None:
        super().__init__(what)
        self.where = where


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"allowed is a name like {NAME}")
    return text


def _topic(text: str) -> str:
    if not is_topic(text):
        raise ValueError(f"allowed is a topic name like {TOPIC}")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"allowed is a regular expression; {error}") from None
    unlike = unlike_in_java(text)
    if unlike:
        raise ValueError(f"allowed is a regular expression that Python and Java read alike; {unlike!r} they do not")
    return text


def _within(text: str) -> str:
    if not _WITHIN.fullmatch(text):
        raise ValueError("allowed is a duration like '15 minutes' (second, minute, hour or day)")
    return text


Name = Annotated[str, AfterValidator(_name)]
Topic = Annotated[str, AfterValidator(_topic)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
WireName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,127}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Column(_Part):
    """One column of the contract: where it comes from, its type and its limits."""

    name: Name
    logical_type: LogicalType = Field(alias="logicalType")
    description: str = ""
    required: bool = False
    source: Literal["value", "key", "header"] = "value"
    wire_name: WireName | None = Field(None, alias="from")
    unit: str | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    max_length: int | None = Field(None, alias="maxLength", ge=1, le=10_000_000, strict=True)
    pattern: Annotated[str, AfterValidator(_pattern)] | None = None
    enum: tuple[str, ...] | None = Field(None, min_length=1)

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
        ]
        for limit, misfit, allowed in misfits:
            if misfit:
                raise _Misfit(f"found {limit} on {self.logical_type}; allowed on {allowed}", limit)
        if self.logical_type == "timestamp" and self.unit not in (None, "s", "ms", "us"):
            raise _Misfit(f"found {self.unit!r}; allowed is s, ms, us or none (ISO 8601 text)", "unit")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise _Misfit(f"found {self.minimum}; allowed is at most maximum, {self.maximum}", "minimum")
        return self


class Check(_Part):
    """One quality check, with its consequence."""

    metric: Metric
    columns: tuple[Name, ...] = ()
    must_be: Number | None = Field(None, alias="mustBe")
    must_be_greater_than: Number | None = Field(None, alias="mustBeGreaterThan")
    must_be_less_than: Number | None = Field(None, alias="mustBeLessThan")
    unit: Literal["rows", "percent"] = "rows"
    within: Annotated[str, AfterValidator(_within)] | None = None
    layer: Layer = "bronze"
    severity: Literal["fail", "warn"] = "fail"

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> Self:
        if self.metric == "freshness":
            if self.within is None:
                raise ValueError("freshness needs within, like '15 minutes'")
            return self
        bounds = (self.must_be, self.must_be_greater_than, self.must_be_less_than)
        if all(bound is None for bound in bounds):
            raise ValueError(f"{self.metric} needs one of mustBe, mustBeGreaterThan, mustBeLessThan")
        if self.metric != "rowCount" and not self.columns:
            raise ValueError(f"{self.metric} needs columns")
        return self

    @property
    def within_seconds(self) -> int:
        """`within` in seconds; 0 where the check has none."""
        match = _WITHIN.fullmatch(self.within or "")
        return int(match[1]) * _SECONDS[match[2]] if match else 0


class Contract(_Part):
    """What a topic's records must be, and what is checked of its tables."""

    id: Name
    version: str = Field("1.0.0", pattern=r"^\d+\.\d+\.\d+$")
    owner: Name
    description: str
    topic: Topic
    format: Literal["json"]
    key: tuple[Name, ...] = Field(min_length=1)
    event_time: Name = Field(alias="eventTime")
    tombstone: Literal["quarantine", "delete"] = "quarantine"
    columns: tuple[Column, ...] = Field(alias="schema", min_length=1, max_length=500)
    quality: tuple[Check, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}

    @property
    def bronze_query(self) -> str:
        """The name of the stream that fills its bronze table."""
        return f"bronze_{self.id}"

    @model_validator(mode="after")
    def _columns_fit_together(self) -> Self:
        _refuse_doubles(self.columns)
        if self.event_time not in self.by_name or self.by_name[self.event_time].logical_type != "timestamp":
            raise _Misfit(f"found {self.event_time!r}; allowed is a timestamp column of schema", "eventTime")
        _refuse_unknown(self.by_name, self.key, "key")
        for index, check in enumerate(self.quality):
            _refuse_unknown(self.by_name, check.columns, "quality", index, "columns")
        for index, name in enumerate(self.key):
            if not self.by_name[name].required:
                raise _Misfit(f"found {name!r}, which is optional; allowed are required columns", "key", index)
        return self


def _refuse_doubles(columns: Sequence[Column]) -> None:
    names: set[str] = set()
    wires: set[str] = set()
    for index, column in enumerate(columns):
        if column.name in names:
            raise _Misfit(f"found {column.name!r} twice; allowed once", "schema", index, "name")
        names.add(column.name)
        if column.source == "value":
            # Spark finds a field of the parsed document whatever its case: two would be ambiguous.
            if column.wire.lower() in wires:
                raise _Misfit(f"found {column.wire!r} twice, but for case; allowed once", "schema", index, "from")
            wires.add(column.wire.lower())


def _refuse_unknown(known: Iterable[str], names: Sequence[str], *where: str | int) -> None:
    for index, name in enumerate(names):
        if name not in known:
            raise _Misfit(f"found {name!r}; allowed are {', '.join(known)}", *where, index)


def read_contract(path: Path) -> Contract:
    """Read one contract file.

    Raises:
        ContractError: with every problem as `file:line: field: found …; allowed …`.
    """
    try:
        source = YamlSource(path.name, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: cannot be read: {error}", "check the file") from None
    except yaml.YAMLError as error:
        raise ContractError(explained(path.name, error), "correct the file") from None
    try:
        contract = Contract.model_validate(source.data, by_name=False)
    except ValidationError as error:
        problems = (_problem(source, dict(problem)) for problem in error.errors())
        raise ContractError("\n".join(problems), "correct the lines above; CONTRIBUTING.md shows a contract") from None
    if path.stem != contract.id:
        problem = f"{source.at(['id'])}: found {contract.id!r}; allowed is the file's name {path.stem!r}"
        raise ContractError(problem, "rename the file or the contract")
    return contract


def read_contracts(folder: Path) -> dict[str, Contract]:
    """Read all contracts of a folder, by id.

    Raises:
        ContractError: any file is wrong (all problems of all files are listed), or two files share a topic.
    """
    if not folder.is_dir():
        raise ContractError(
            f"{folder}: there is no such folder", "set TIDEMARK_CONTRACTS_DIR to the folder of contracts"
        )
    contracts: dict[str, Contract] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            contract = read_contract(path)
            contracts[contract.id] = contract
        except ContractError as error:
            problems.append(error.what)
    problems += [f"{path.name}:1: file: found .yml; allowed is .yaml" for path in sorted(folder.glob("*.yml"))]
    problems += _shared_topics(contracts.values())
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


def _shared_topics(contracts: Iterable[Contract]) -> list[str]:
    owners: dict[str, str] = {}
    problems = []
    for contract in contracts:
        other = owners.setdefault(contract.topic, contract.id)
        if other != contract.id:
            problems.append(
                f"{contract.id}.yaml:1: topic: found {contract.topic!r}, which {other}.yaml has; allowed once"
            )
    return problems


def _problem(source: YamlSource, problem: dict[str, Any]) -> str:
    misfit = problem.get("ctx", {}).get("error")
    where: Sequence[str | int] = (*problem["loc"], *getattr(misfit, "where", ()))
    if problem["type"] == "missing":
        return f"{source.at(where)}: missing; it is required"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = f"allowed are {', '.join(_fields_around(where))}"
    if problem["type"] == "model_type":
        message = "allowed is a mapping of fields"
    scalar = not isinstance(problem["input"], dict | list)
    found = f"found {shown(problem['input'])}; " if scalar else ""
    return f"{source.at(where)}: {found}{message}"


def _fields_around(where: Sequence[str | int]) -> list[str]:
    parts: dict[str | int, type[_Part]] = {"schema": Column, "quality": Check} if len(where) > 1 else {}
    return [field.alias or name for name, field in parts.get(where[0], Contract).model_fields.items()]
