"""Bad frames of Avro: a record in Confluent's wire format is a zero byte, the schema's id in four, then the body."""

import struct

from tidemark.domains.spoil import Kinds, Spoiler

HEAD = 5  # bytes before the body
UNKNOWN_ID = 2**31 - 7  # a registry counts from 1: it never gets here


def frame_kinds(spoiler: Spoiler) -> Kinds:
    """List what can be wrong with a frame, whatever its schema is."""
    value = spoiler.value
    unknown = struct.pack(">i", UNKNOWN_ID)
    return {
        "wrong_magic": [value(lambda good: b"\x01" + good[1:]), value(lambda good: b'{"is":"JSON"}')],
        "unknown_schema": [value(lambda good: good[:1] + unknown + good[HEAD:])],
        "cut_short": [
            value(lambda good: good[: (HEAD + len(good)) // 2]),
            value(lambda good: good[:-1]),
            value(lambda good: good[:HEAD]),
        ],
    }
