"""Bad JSON documents, and bad envelopes of Debezium."""

from collections.abc import Mapping

import orjson

from tidemark import debezium
from tidemark.contracts import Column
from tidemark.domains.places import without
from tidemark.domains.spoil import Kinds, Spoil, Spoiler

_NESTED = b"[" * 500 + b"]" * 500
_WRONG_TYPE: Mapping[str, bytes] = {
    "string": b'{"is":"an object"}',
    "integer": b'"a few"',
    "number": b'"a lot"',
    "boolean": b'"perhaps"',
    "timestamp": b'"around noon"',
    "date": b'"last Friday"',
}


def document_kinds(spoiler: Spoiler) -> Kinds:
    """List what can be wrong with a JSON document, and with the types of its columns."""
    value, columns = spoiler.value, spoiler.carried
    kinds: Kinds = {
        "truncated": [value(lambda good: good[: len(good) // 2]), value(lambda good: good[:-1])],
        "trailing_garbage": [value(lambda good: good + b" }}")],
        "two_objects": [value(lambda good: good + b"\n" + good)],
        "not_an_object": [value(lambda good: b"[1,2,3]"), value(lambda good: b"42")],
        "wrong_type": [_json(spoiler, each, _WRONG_TYPE[each.logical_type]) for each in columns],
        "nested": [_json(spoiler, each, _NESTED) for each in columns],
        "null": [_json(spoiler, each, b"null") for each in columns if each.required],
    }
    return kinds | _kinds_of_texts(spoiler) | _kinds_of_numbers(spoiler)


def envelope_kinds(spoiler: Spoiler) -> Kinds:
    """List what can be wrong with an envelope of Debezium."""
    fields = spoiler.fields
    needs_op = any(column.wire == debezium.OP and column.required for column in spoiler.carried)
    return {
        "op_missing": [fields(lambda good: without(good, ("op",)))] if needs_op else [],
        "no_image": [fields(lambda good: {**good, "after": None}), fields(lambda good: without(good, ("after",)))],
        "not_an_envelope": [fields(lambda good: dict(good["after"]))],
    }


def _kinds_of_texts(spoiler: Spoiler) -> Kinds:
    texts = [column for column in spoiler.carried if column.logical_type == "string"]
    return {
        "number_for_text": [_json(spoiler, each, b"12345") for each in texts],
        "invalid_utf8": [_json(spoiler, each, b'"\xc3\x28\xff"') for each in texts],
    }


def _kinds_of_numbers(spoiler: Spoiler) -> Kinds:
    numbers = [column for column in spoiler.carried if column.logical_type == "number"]
    integers = [column for column in spoiler.carried if column.logical_type == "integer"]
    return {
        "nan": [_json(spoiler, each, b"NaN") for each in numbers],
        "infinity": [_json(spoiler, each, b"-Infinity") for each in numbers],
        "overflow": [_json(spoiler, each, b"1e400") for each in numbers]
        + [_json(spoiler, each, b"1" * 30) for each in integers],
        "fraction": [_json(spoiler, each, b"1.5") for each in integers],
    }


def _json(spoiler: Spoiler, column: Column, text: bytes) -> Spoil:
    """Put JSON text, however wrong, in a column's place."""
    return spoiler.put(column, orjson.Fragment(text))
