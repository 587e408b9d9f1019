"""What a message says without its values, so that the same message can be counted."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_START, _END = "(?<![0-9A-Za-z_])", "(?![0-9A-Za-z_])"
_LETTER_AND_DIGIT = "(?=[0-9]*[A-Fa-f])(?=[A-Fa-f]*[0-9])"
_GROUP = "[0-9A-Fa-f]{1,4}"
_GROUPS = f"{_GROUP}(?::{_GROUP})*"
_IPV6 = rf"(?:{_GROUP}:){{7}}{_GROUP}|(?:{_GROUPS})?::{_GROUPS}|{_GROUPS}::"
# In this order: what is left of a longer pattern would match a shorter one. Java's own word boundary knows more letters
# than its digits do, so what may stand beside a value is written out.
_PLACEHOLDERS = (
    (rf'"[^"]*"|{_START}\'[^\']*\'{_END}', "<text>"),
    (rf"{_START}[0-9A-Fa-f]{{8}}(?:-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}}{_END}", "<uuid>"),
    (r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?!\.?[0-9])", "<ip>"),
    (rf"(?<![0-9A-Za-z_:])(?:{_IPV6})(?![0-9A-Za-z_:])", "<ip>"),
    # A hex id may happen to have digits alone: it is a number to us, or one message would have two fingerprints.
    (rf"{_START}(?:0[xX][0-9A-Fa-f]+|{_LETTER_AND_DIGIT}[0-9A-Fa-f]{{6,}}|[A-Fa-f]{{12,}}){_END}", "<number>"),
    (r"[0-9]+(?:[.,][0-9]+)*", "<number>"),
)


def without_values(message: Column) -> Column:
    """Replace quoted strings, UUIDs, IP addresses, hex ids and numbers by placeholders."""
    for pattern, placeholder in _PLACEHOLDERS:
        message = F.regexp_replace(message, F.lit(pattern), F.lit(placeholder))
    return message


def fingerprint(text: Column) -> Column:
    """Give a text's XXH64 in hex, with Spark's own seed of 42."""
    return F.lpad(F.lower(F.hex(F.xxhash64(text))), 16, "0")
