"""Bad records, of the kinds that are seen: each one breaks the contract that it is made from, and only just.

A kind is listed only where the contract has something that it breaks, so every record made here is quarantined.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle
from typing import TypeGuard

from tidemark.contracts import Column, Contract
from tidemark.domains.bad_documents import document_kinds, envelope_kinds
from tidemark.domains.bad_frames import frame_kinds
from tidemark.domains.event import Encode
from tidemark.domains.spoil import Kinds, Spoil, Spoiler

_LONGEST = 100_000  # a maxLength beyond this isn't broken: Kafka itself refuses records above about 1 MB
_EXACT = 2**53  # a limit beyond this isn't broken: the next number is the same to a double


def bad_kinds(contract: Contract, encode: Encode) -> Kinds:
    """List how records of the contract can be bad: for each kind, the ways (one a column) to be so."""
    spoiler = Spoiler(contract, encode)
    kinds = _kinds_of_records(contract, spoiler) | _kinds_of_limits(spoiler)
    if contract.format == "avro":
        kinds |= frame_kinds(spoiler)
    else:
        kinds |= document_kinds(spoiler)
    if contract.format == "debezium":
        kinds |= envelope_kinds(spoiler)
    return {kind: ways for kind, ways in kinds.items() if ways}


def in_turn(kinds: Mapping[str, Iterable[Spoil]]) -> Iterator[tuple[str, Spoil]]:
    """Go round all kinds for ever; each time a kind's turn comes, its next way is taken."""
    rounds = {kind: cycle(ways) for kind, ways in kinds.items()}
    for kind in cycle(rounds):
        yield kind, next(rounds[kind])


def _kinds_of_records(contract: Contract, spoiler: Spoiler) -> Kinds:
    """List what can be wrong with a record in any format."""
    # What Avro's schema requires can't be left out: no record would be written
    left_out = [each for each in contract.columns if contract.format != "avro" or each.source != "value"]
    kinds: Kinds = {
        "empty": [spoiler.value(lambda good: b"")],
        "missing": [spoiler.missing(column) for column in left_out if column.required],
        "future": [spoiler.future(contract.by_name[contract.event_time])],
    }
    if contract.tombstone == "quarantine":
        kinds["tombstone"] = [spoiler.value(lambda good: None)]
    return kinds


def _kinds_of_limits(spoiler: Spoiler) -> Kinds:
    """List the limits of the contract that can be broken by a value of the right type."""
    columns = spoiler.carried
    return {
        "below_minimum": [spoiler.put(each, math.floor(each.minimum) - 1) for each in columns if _exact(each.minimum)],
        "above_maximum": [spoiler.put(each, math.ceil(each.maximum) + 1) for each in columns if _exact(each.maximum)],
        "too_long": [spoiler.put(each, "x" * (each.max_length + 1)) for each in columns if _is_short(each.max_length)],
        "not_in_enum": [spoiler.put(each, max(each.enum, key=len) + "_x") for each in columns if each.enum],
        "no_match": [spoiler.put(each, text) for each in columns for text in _mismatches(each)],
    }


def _exact(limit: float | None) -> TypeGuard[float]:
    return limit is not None and abs(limit) <= _EXACT


def _is_short(limit: int | None) -> TypeGuard[int]:
    return limit is not None and limit <= _LONGEST


def _mismatches(column: Column) -> list[str]:
    """Find a text that does not match the column's pattern; none where everything does."""
    if column.pattern is None:
        return []
    candidates = ("no match", "~", "0", "-", "\u2603", "")
    return [text for text in candidates if not re.fullmatch(column.pattern, text)][:1]
