"""The content of files: every column of every row counts, their order and the cut into files do not."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemark.content_hash import Content, content_of
from tidemark.record_hash import HEADERS

pytestmark = pytest.mark.unit

SCHEMA = pa.schema(
    [
        ("_partition", pa.int32()),
        ("_offset", pa.int64()),
        ("_kafka_time", pa.timestamp("us", "UTC")),
        ("_key", pa.binary()),
        ("_headers", HEADERS),
        ("_errors", pa.list_(pa.string())),
        ("city", pa.string()),
        ("amount", pa.float64()),
        ("is_paid", pa.bool_()),
        ("on", pa.date32()),
    ]
)
ROW: dict[str, Any] = {
    "_partition": 1,
    "_offset": 7,
    "_kafka_time": datetime(2025, 1, 1, tzinfo=UTC),
    "_key": b"k",
    "_headers": [("a", b"1"), ("b", None)],
    "_errors": ["missing:city"],
    "city": "Bern",
    "amount": 0.5,
    "is_paid": True,
    "on": date(2025, 1, 1),
}
OTHERS: list[dict[str, Any]] = [
    {"_partition": 2},
    {"_offset": 8},
    {"_kafka_time": datetime(2025, 1, 2, tzinfo=UTC)},
    {"_key": None},
    {"_key": b""},
    {"_headers": None},  # an empty list is another value than none
    {"_headers": []},
    {"_headers": [("a", b"1"), ("b", b"")]},
    {"_headers": [("b", None), ("a", b"1")]},
    {"_errors": ["missing:", "city"]},
    {"_errors": None},
    {"city": "Ber"},
    {"city": None},
    {"amount": 0.25},
    {"amount": None},
    {"is_paid": False},
    {"is_paid": None},
    {"on": None},
    {"on": date(2025, 1, 2)},
]


def content(folder: Path, *files: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> Content:
    paths = [folder / f"{number}.parquet" for number in range(len(files))]
    for path, rows in zip(paths, files, strict=True):
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return content_of(paths, SCHEMA.names)


def test_no_change_of_a_value_goes_unseen(tmp_path: Path) -> None:
    found = [content(tmp_path, [{**ROW, **change}]) for change in ({}, *OTHERS)]
    assert len({each.sum_of_hashes for each in found}) == len(OTHERS) + 1


def test_the_order_of_rows_and_their_files_do_not_matter(tmp_path: Path) -> None:
    rows = [ROW, *({**ROW, **change} for change in OTHERS)]
    whole = content(tmp_path, rows)
    assert content(tmp_path, rows[9:], rows[:4], rows[4:9]) == whole
    assert content(tmp_path, rows[::-1]) == whole
    assert content(tmp_path, [*rows, ROW]) != whole


def test_a_column_that_a_file_lacks_is_null(tmp_path: Path) -> None:
    older = pa.schema([each for each in SCHEMA if each.name != "city"])
    rows = [{**ROW, "city": None}]
    assert content(tmp_path, rows, schema=older) == content(tmp_path, rows)


def test_no_file_has_no_content(tmp_path: Path) -> None:
    assert content(tmp_path) == Content(0, 0)
