"""Contracts say Avro schemas, and records are written with those of the registry."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import fastavro
import pytest

from tests.kafka import free_ports
from tidemark.avro_records import avro_encoder
from tidemark.avro_schemas import avro_schema
from tidemark.contracts import Contract, read_contracts
from tidemark.errors import TidemarkError
from tidemark.registry import RegistryAway
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

PAYMENTS = read_contracts(ROOT / "contracts")["card_payments"]
COLUMNS: list[dict[str, Any]] = [
    {"name": "id", "logicalType": "string", "required": True, "description": "Which."},
    {"name": "size", "logicalType": "integer", "required": True, "from": "Size"},
    {"name": "share", "logicalType": "number"},
    {"name": "is_on", "logicalType": "boolean"},
    {"name": "day", "logicalType": "date", "required": True},
    {"name": "at", "logicalType": "timestamp", "required": True},
    {"name": "at_s", "logicalType": "timestamp", "unit": "s"},
    {"name": "at_ms", "logicalType": "timestamp", "unit": "ms", "required": True},
    {"name": "at_us", "logicalType": "timestamp", "unit": "us"},
    {"name": "sender", "logicalType": "string", "source": "header"},
    {"name": "label", "logicalType": "string", "source": "key"},
]
THINGS = Contract.model_validate(
    {"id": "things", "owner": "us", "description": "Things.", "topic": "things", "format": "avro", "key": ["id"]}
    | {"eventTime": "at", "schema": COLUMNS}
)


def test_a_schema_has_a_field_for_every_column_of_the_value() -> None:
    schema = avro_schema(THINGS)
    head = {name: value for name, value in schema.items() if name != "fields"}
    assert head == {"type": "record", "name": "things", "namespace": "tidemark", "doc": "Things."}
    assert schema["fields"] == [
        {"name": "id", "type": "string", "doc": "Which."},
        {"name": "Size", "type": "long"},
        {"name": "share", "type": ["null", "double"], "default": None},
        {"name": "is_on", "type": ["null", "boolean"], "default": None},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": "string"},
        {"name": "at_s", "type": ["null", "long"], "default": None},
        {"name": "at_ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "at_us", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": None},
    ]


@contextmanager
def registry(status: int, answer: dict[str, Any], asked: list[tuple[str, Any]]) -> Iterator[str]:
    """Answer every question alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/apis/ccompat/v7"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_records_are_framed_with_the_id_that_the_registry_gives() -> None:
    asked: list[tuple[str, Any]] = []
    found = {"subject": "things-value", "version": 1, "id": 258, "schema": json.dumps(avro_schema(THINGS))}
    with registry(200, found, asked) as url:
        encode = avro_encoder(THINGS, url)
        fields = {"id": "a", "Size": 3, "share": 1, "day": "2025-06-15", "at": "2025-06-15T15:06:40Z"}
        times = {"at_s": 1_750_000_000, "at_ms": 1_750_000_000_123, "at_us": 1_750_000_000_123_456}
        frames = [encode(fields | times), encode(fields | {"at_ms": 0, "share": None})]
    assert [path.partition("?")[0] for path, _ in asked] == ["/apis/ccompat/v7/subjects/things-value"]
    assert json.loads(asked[0][1]["schema"]) == avro_schema(THINGS)
    assert {frame[:5] for frame in frames} == {b"\x00\x00\x00\x01\x02"}
    full, empty = (read(frame[5:]) for frame in frames)
    at = datetime(2025, 6, 15, 15, 6, 40, 123_000, UTC)
    assert full == {
        **fields,
        "day": date(2025, 6, 15),
        "share": 1.0,
        "is_on": None,
        "at_s": 1_750_000_000,
        "at_ms": at,
        "at_us": at.replace(microsecond=123_456),
    }
    assert (empty["share"], empty["at_s"], empty["at_us"]) == (None, None, None)


def read(body: bytes) -> Any:
    return fastavro.schemaless_reader(io.BytesIO(body), fastavro.parse_schema(avro_schema(THINGS)), None)


def test_what_the_schema_can_not_hold_is_said() -> None:
    found = {"subject": "things-value", "version": 1, "id": 1, "schema": "{}"}
    with registry(200, found, []) as url:
        encode = avro_encoder(THINGS, url)
    for wrong in ({}, {"id": "a", "Size": "three"}, {"id": "a", "Size": 2**70}):
        with pytest.raises(TidemarkError, match=r"things: a record does not fit the contract's Avro schema: "):
            encode(wrong)


def test_a_schema_that_the_registry_lacks_is_named_with_the_command_that_registers_it() -> None:
    asked: list[tuple[str, Any]] = []
    with registry(404, {"error_code": 40403, "message": "Schema not found"}, asked) as url:
        said = rf"subject card_payments-value: .*{url} does not have .*\n  fix: .*tidemark schemas register"
        with pytest.raises(TidemarkError, match=said):
            avro_encoder(PAYMENTS, url)
    assert len(asked) == 1


def test_a_registry_that_refuses_is_quoted() -> None:
    with (
        registry(422, {"error_code": 42201, "message": "Invalid schema"}, []) as url,
        pytest.raises(TidemarkError, match=r"refuses to look up a schema: Invalid schema"),
    ):
        avro_encoder(PAYMENTS, url)


def test_a_registry_that_does_not_answer_is_named_without_its_password() -> None:
    where = f"127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(RegistryAway) as refused:
        avro_encoder(PAYMENTS, f"http://me:secret@{where}")
    said = str(refused.value)
    assert (
        f"the schema registry does not answer at http://{where}; tried to look up subject card_payments-value" in said
    )
    assert "TIDEMARK_REGISTRY_URL" in said
    assert "secret" not in said
