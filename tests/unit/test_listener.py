"""What is made of Spark's own numbers: a record counts once, however often a micro-batch looked at it."""

from typing import Any

import pytest

from streaming.listener import rate, rows_read

pytestmark = pytest.mark.unit


def progress(*sources: tuple[object, object], told: int) -> dict[str, Any]:
    each = [{"startOffset": str(start), "endOffset": str(end), "numInputRows": told} for start, end in sources]
    return {"sources": each, "numInputRows": told, "inputRowsPerSecond": 300.0, "processedRowsPerSecond": None}


def test_records_are_counted_by_their_offsets() -> None:
    two = progress(({"a": {"0": 5, "1": 7}}, {"a": {"0": 6, "1": 9}}), ({"b": {"0": 0}}, {"b": {"0": 1}}), told=12)
    assert rows_read(two) == 4
    assert rate(two, "inputRowsPerSecond") == 100
    assert rate(two, "processedRowsPerSecond") == 0


def test_a_new_partition_counts_from_its_beginning() -> None:
    assert rows_read(progress(({"a": {"0": 5}}, {"a": {"0": 5, "1": 3}}), told=3)) == 3


def test_a_first_micro_batch_has_no_start_and_is_believed() -> None:
    assert rows_read(progress((None, {"a": {"0": 5}}), told=5)) == 5


def test_where_nothing_was_read_there_is_no_rate() -> None:
    nothing = progress(({"a": {"0": 5}}, {"a": {"0": 5}}), told=0)
    assert (rows_read(nothing), rate(nothing, "inputRowsPerSecond")) == (0, 0)
