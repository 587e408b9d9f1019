"""The schema registry: writers' schemas by id, and a subject for each Avro contract.

A schema never changes under its id, so each one is kept on disk: where the registry is away, the known ids go on.
"""

import hashlib
import json
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError

# The HTTP client that the registry's client uses, of the two that it knows: its errors come through
from confluent_kafka.schema_registry.common._httpx_compat import httpx

from tidemark.avro_schemas import avro_schema
from tidemark.contracts import Contract
from tidemark.errors import TidemarkError
from tidemark.schema_references import with_definitions
from tidemark.settings import Settings, without_password
from tidemark.writers import Writer, writer_of

T = TypeVar("T")

_PATIENCE = 5.0  # seconds
_NOT_FOUND = 404
_REFUSED = (409, 422)


class RegistryAway(TidemarkError):
    """The registry does not answer, or not sensibly: no fault of any record."""

    exit_code = 2


class SchemaRefused(TidemarkError):
    """The registry does not take a contract's schema: it breaks the subject's compatibility."""


class Registry:
    """A client of the registry, for one process.

    Every method but `kept` raises RegistryAway where the registry does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._address = settings.registry_address
        self._client = SchemaRegistryClient({"url": self._address, "timeout": _PATIENCE, "max.retries": 0})
        # Ids mean something in their own registry alone.
        name = hashlib.sha256(self._address.encode()).hexdigest()[:12]
        self._folder = settings.home.absolute() / "schemas" / name

    def kept(self, contract: Contract) -> dict[int, Writer]:
        """Give every writer's schema that was ever looked up, without asking anybody."""
        kept = ((int(path.stem), path.read_text()) for path in self._folder.glob("*.avsc"))
        return {schema_id: writer_of(contract, schema_id, schema) for schema_id, schema in kept}

    def writer(self, contract: Contract, schema_id: int) -> Writer | None:
        """Look a writer's schema up; None: the registry has no such id."""
        if schema_id >= 2**31:
            return None  # ids are signed: it has none like this, and would refuse the question
        try:
            schema = self._ask(lambda: self._client.get_schema(schema_id))
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return None
            raise self._away(error) from None
        text = self._text(schema) if schema.schema_type == "AVRO" else json.dumps(schema.schema_type)
        self._keep(schema_id, text)
        return writer_of(contract, schema_id, text)

    def ensure(self, contract: Contract) -> int:
        """Register the contract's schema under its subject, with its compatibility, unless it is there; give its id.

        Raises:
            SchemaRefused: it is not compatible with the newest version.
        """
        subject, schema = subject_of(contract), Schema(json.dumps(avro_schema(contract)), "AVRO")
        try:
            is_new = not self._set_compatibility(subject, contract.compatibility)
            schema_id = int(self._ask(lambda: self._client.register_schema(subject, schema)))
            if is_new:
                self._set_compatibility(subject, contract.compatibility)
        except SchemaRegistryError as error:
            if error.http_status_code in _REFUSED:
                what = f"{contract.id}: the registry refuses its schema for {subject}: {error.error_message}"
                fix = "change the contract such that it reads what was written; `tidemark schemas check` tells"
                raise SchemaRefused(what, fix) from None
            raise self._away(error) from None
        return schema_id

    def is_compatible(self, contract: Contract) -> bool:
        """Tell whether the contract's schema may follow the newest one of its subject; the first one may."""
        schema = Schema(json.dumps(avro_schema(contract)), "AVRO")
        try:
            return bool(self._ask(lambda: self._client.test_compatibility(subject_of(contract), schema)))
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return True
            raise self._away(error) from None

    def _set_compatibility(self, subject: str, level: str) -> bool:
        """Set a subject's compatibility; tell whether there is such a subject: one without schemas can have none."""
        try:
            self._ask(lambda: self._client.set_compatibility(subject, level))
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return False
            raise
        return True

    def _text(self, schema: Schema) -> str:
        """Give a schema with all that it refers to in its place."""
        referred: dict[tuple[str, int], str] = {}
        untried = list(schema.references or [])
        while untried:
            each = untried.pop()
            subject, version = str(each.subject), int(each.version or 0)
            if (subject, version) not in referred:
                found = self._referred(subject, version)
                referred[subject, version] = str(found.schema_str)
                untried += found.references or []
        return with_definitions(str(schema.schema_str), referred.values()) if referred else str(schema.schema_str)

    def _referred(self, subject: str, version: int) -> Schema:
        try:
            return self._ask(lambda: self._client.get_version(subject, version)).schema
        except SchemaRegistryError as error:
            raise self._away(error) from None  # the registry had it when the schema was registered

    def _keep(self, schema_id: int, schema: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{schema_id}.avsc"
        fresh = path.with_suffix(f".{id(self)}")
        fresh.write_text(schema)
        fresh.replace(path)

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except httpx.HTTPError as error:
            raise self._away(error) from None

    def _away(self, error: Exception) -> RegistryAway:
        reason = str(error) or type(error).__name__
        what = f"the schema registry does not answer at {without_password(self._address)}: {reason}"
        return RegistryAway(what, "start it by `make stream-up`, or set TIDEMARK_REGISTRY_URL to where it is")


def subject_of(contract: Contract) -> str:
    """Give the subject of a contract's values, as Confluent's TopicNameStrategy has it."""
    return f"{contract.topic}-value"
