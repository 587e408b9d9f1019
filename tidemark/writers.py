"""What a contract can read of a writer's Avro schema.

A contract reads as Avro's schema resolution has it (Apache Avro's specification, "Schema Resolution"), field by field:
a field whose type can't be read is named, and the others are read all the same.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException

from tidemark.avro_schemas import avro_schema
from tidemark.contracts import Contract

BODY_FIELD, END_FIELD = "body", "end"
# Stands behind each body that is read, as a long. Whatever is read too far finds no length in it: all are negative.
END_BYTES = bytes.fromhex("d3a7f1b9e5cb97ed8f01")

_WHOLE = "_" * 129  # a name longer than any wire name
_NUMBERS = ("long", "double")
# The types that a writer's field may have to be read flat, and what a contract may read it as.
_READ_FLAT = {
    "int": _NUMBERS,
    "long": _NUMBERS,
    "float": ("double",),
    "double": ("double",),
    "string": ("string",),
    "boolean": ("boolean",),
}


@dataclass(frozen=True)
class Writer:
    """A writer's schema, and what a contract can read of it."""

    id: int
    schema: str
    name: str = ""  # in full; empty: it is no record
    fields: frozenset[str] = field(default_factory=frozenset)  # the contract's wire names that it has
    misfits: frozenset[str] = field(default_factory=frozenset)  # those whose type can't be read

    @property
    def is_record(self) -> bool:
        """Tell whether it describes records at all."""
        return bool(self.name)


def writer_of(contract: Contract, schema_id: int, schema: str) -> Writer:
    """Say what the contract can read of a schema; one that is no Avro, or no record, is none."""
    try:
        written: Any = avro.schema.parse(schema)
    except AvroException:
        return Writer(schema_id, schema)
    if written.type != "record" or _WHOLE in str(written):
        return Writer(schema_id, schema)
    types = {each.name: each.type for each in written.fields}
    wanted = {each["name"]: each["type"] for each in _fields(contract)}
    found = frozenset(types.keys() & wanted.keys())
    misfits = frozenset(name for name in found if not _reads(wanted[name], types[name]))
    return Writer(schema_id, schema, written.fullname, found, misfits)


def reader_schema(contract: Contract, writer: Writer | None = None) -> str:
    """Give the schema by which the contract reads what a writer wrote, with END_BYTES behind it.

    No field need be there, and those whose type can't be read are left out. Avro wants the record's name to be the
    writer's.
    """
    name, misfits = (writer.name, writer.misfits) if writer else (contract.id, frozenset[str]())
    fields = [each for each in _fields(contract) if each["name"] not in misfits]
    return _whole({"type": "record", "name": name, "fields": fields})


def written_schema(writer: Writer) -> str:
    """Give the schema of what a writer wrote, with END_BYTES behind it."""
    return _whole(json.loads(writer.schema))


def flat_plan(contract: Contract, writer: Writer) -> str | None:
    """Say how `io.tidemark.FlatRecord` reads what a writer wrote; None: it can't, as a field is not plain.

    Raises:
        ValueError: the writer's schema is no JSON.
    """
    wanted = {each["name"]: _plain(each["type"]) for each in avro_schema(contract)["fields"]}
    places = {name: place for place, name in enumerate(wanted)}
    steps = []
    for each in json.loads(writer.schema)["fields"]:
        kind, branch = _without_null(each["type"])
        read_as = wanted.get(each["name"])
        if kind not in _READ_FLAT or (read_as is not None and read_as not in _READ_FLAT[kind]):
            return None
        steps.append(f"{kind}:{branch}:{places.get(each['name'], '-')}:{read_as or '-'}")
    return " ".join(steps) or None


def _without_null(kind: Any) -> tuple[str, int | str]:
    """Give a field's primitive type, and the branch of its union that is null; "": it is not as simple as that."""
    branch: int | str = "-"
    if isinstance(kind, list):
        if len(kind) != 2 or "null" not in kind:
            return "", branch
        branch = kind.index("null")
        kind = kind[1 - branch]
    plain = kind.get("type") if isinstance(kind, dict) else kind
    return plain if isinstance(plain, str) else "", branch


def end_mark() -> int:
    """Give END_BYTES as the long that they are (Apache Avro's specification, "Binary encoding")."""
    zigzag = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(END_BYTES))
    return (zigzag >> 1) ^ -(zigzag & 1)


def _whole(body: Any) -> str:
    # Around the record, not in it: a record may be a field of itself.
    fields = [{"name": BODY_FIELD, "type": body}, {"name": END_FIELD, "type": "long"}]
    return json.dumps({"type": "record", "name": _WHOLE, "fields": fields})


def _fields(contract: Contract) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = avro_schema(contract)["fields"]
    return [{"name": each["name"], "type": ["null", _plain(each["type"])], "default": None} for each in fields]


def _plain(kind: Any) -> Any:
    """Give the type without null; times as the number that is written."""
    if isinstance(kind, list):
        return _plain(next(each for each in kind if each != "null"))
    if isinstance(kind, dict) and str(kind.get("logicalType")).startswith("timestamp-"):
        return kind["type"]
    return kind


def _reads(wanted: Any, written: Any) -> bool:
    reader: Any = avro.schema.parse(json.dumps(wanted))
    found = ReaderWriterCompatibilityChecker().get_compatibility(reader, written)
    return bool(found.compatibility is SchemaCompatibilityType.compatible)
