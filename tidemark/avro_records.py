"""Avro records in Confluent's wire format, written by Confluent's own serializer with a schema of the registry."""

import json
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroSerializer

# The HTTP client that the registry's client uses, of the two that it knows: its errors come through
from confluent_kafka.schema_registry.common._httpx_compat import httpx
from confluent_kafka.serialization import MessageField, SerializationContext

from tidemark.avro_schemas import avro_schema
from tidemark.contracts import Contract
from tidemark.domains.event import Encode, Fields
from tidemark.errors import TidemarkError
from tidemark.registry import RegistryAway, subject_of
from tidemark.settings import without_password

_NOT_FOUND = 404
_CLIENT = {"timeout": 10.0, "max.retries": 2, "retries.wait.ms": 200, "retries.max.wait.ms": 1000}
# The subject's name is given by the topic: any other strategy asks the registry for what Confluent's alone has
_SERIALIZER = {"auto.register.schemas": False, "use.latest.version": False, "subject.name.strategy.type": "TOPIC"}


def avro_encoder(contract: Contract, registry_url: str) -> Encode:
    """Give the function that writes a contract's records with the schema that the registry has for it.

    Raises:
        TidemarkError: the registry does not answer, or does not have the schema.
    """
    schema = json.dumps(avro_schema(contract))
    client = SchemaRegistryClient({"url": registry_url, **_CLIENT})
    _look_up(client, contract, schema, registry_url)
    serializer = AvroSerializer(client, schema, conf=_SERIALIZER)
    context = SerializationContext(contract.topic, MessageField.VALUE)

    def encode(fields: Fields) -> bytes:
        try:
            value: bytes = serializer(fields, context)
        except (TypeError, ValueError, OverflowError) as error:
            raise TidemarkError(
                f"{contract.id}: a record does not fit the contract's Avro schema: {error}",
                "the model in tidemark/domains/ gives another type than the contract: correct one of them",
            ) from None
        return value

    return encode


def _look_up(client: Any, contract: Contract, schema: str, registry_url: str) -> None:
    """See that the registry has the schema; the client keeps the answer for the serializer.

    Raises:
        RegistryAway: it does not answer.
        TidemarkError: it does not have the schema.
    """
    subject, where = subject_of(contract), without_password(registry_url)
    try:
        client.lookup_schema(subject, Schema(schema, "AVRO"))
    except SchemaRegistryError as error:
        if error.http_status_code == _NOT_FOUND:
            what = f"subject {subject}: the registry at {where} does not have the schema of contract {contract.id}"
            raise TidemarkError(what, "register it by `tidemark schemas register`") from None
        what = f"subject {subject}: the registry at {where} refuses to look up a schema: {error}"
        raise TidemarkError(what, "look at the registry's log") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        what = f"the schema registry does not answer at {where}; tried to look up subject {subject}: {error}"
        fix = "start it by `make stream-up`, or set TIDEMARK_REGISTRY_URL to where it is"
        raise RegistryAway(what, fix) from None
