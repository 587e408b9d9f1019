"""Bronze is read whatever its files are like, and only where it has to be."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.proving import SCHEMA
from tidemark.bronze_records import PinnedBronze, Positions
from tidemark.compare import Kind
from tidemark.errors import TidemarkError
from tidemark.findings import Finding
from tidemark.spans import Span
from tidemark.strays import Strays

pytestmark = pytest.mark.unit

SPAN = Span(0, 10, 20)
STATISTICS = {"delta.dataSkippingStatsColumns": "_partition,_offset"}


def rows(offsets: range, partition: int = 0, **changes: Any) -> pa.Table:
    plain = [{"_topic": "t", "_partition": partition, "_offset": at, "_value": b"v", **changes} for at in offsets]
    return pa.Table.from_pylist(plain, schema=SCHEMA)


def write(table: Path, *files: pa.Table, **options: Any) -> None:
    for each in files:
        write_deltalake(table, each, mode="append", configuration=STATISTICS, **options)


def read(table: Path, *spans: Span, version: int | None = None) -> list[tuple[int, int]]:
    newest = DeltaTable(table).version() if version is None else version
    found = list(PinnedBronze(str(table), newest, "t").rows(spans))
    return [at for batch in found for at in zip(batch.partitions.tolist(), batch.offsets.tolist(), strict=True)]


def test_it_gives_the_rows_of_the_spans_and_no_others(tmp_path: Path) -> None:
    write(tmp_path, rows(range(30)), rows(range(30), partition=1), rows(range(12, 14), _topic="other"))
    assert read(tmp_path, SPAN) == [(0, at) for at in range(10, 20)]
    assert sorted(read(tmp_path, Span(1, 29, 40), Span(0, 0, 1))) == [(0, 0), (1, 29)]
    assert read(tmp_path, Span(2, 0, 9)) == []


def test_it_reads_the_version_that_was_pinned(tmp_path: Path) -> None:
    write(tmp_path, rows(range(10, 12)), rows(range(12, 14)))
    DeltaTable(tmp_path).optimize.compact()
    DeltaTable(tmp_path).delete("_offset = 13")
    counts = [len(read(tmp_path, SPAN, version=version)) for version in range(4)]
    assert counts == [2, 4, 4, 3]


def test_it_reads_no_file_that_cannot_have_the_span(tmp_path: Path) -> None:
    write(tmp_path, rows(range(10)), rows(range(10, 20)), rows(range(20, 30)), rows(range(10, 20), partition=1))
    needed = [file for file in tmp_path.glob("*.parquet") if pq.read_table(file)["_offset"][0].as_py() == 10]
    for file in set(tmp_path.glob("*.parquet")) - set(needed):
        file.unlink()
    (of_partition_1,) = [file for file in needed if pq.read_table(file)["_partition"][0].as_py() == 1]
    of_partition_1.unlink()
    assert len(read(tmp_path, SPAN)) == 10


def test_a_file_without_statistics_is_read(tmp_path: Path) -> None:
    write_deltalake(tmp_path, rows(range(30)), configuration={"delta.dataSkippingStatsColumns": "_topic"})
    assert len(read(tmp_path, SPAN)) == 10


def test_row_groups_that_cannot_have_the_span_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, rows(range(30)))
    (file,) = tmp_path.glob("*.parquet")
    pq.write_table(rows(range(30)), file, row_group_size=10)
    content = bytearray(file.read_bytes())
    first, last = (pq.ParquetFile(file).metadata.row_group(group) for group in (0, 2))
    for group in (first, last):  # spoiled: reading them would fail
        column = group.column(5)
        start = column.dictionary_page_offset or column.data_page_offset
        content[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    file.write_bytes(content)
    assert len(read(tmp_path, SPAN)) == 10
    with pytest.raises(TidemarkError, match="can't be read"):
        read(tmp_path, Span(0, 0, 20))


@pytest.mark.parametrize("zone", ["UTC", None])
@pytest.mark.parametrize("as_int96", [True, False])
def test_times_are_read_as_spark_writes_them(tmp_path: Path, zone: str | None, as_int96: bool) -> None:
    far = 10_000_000_000_000_000  # beyond what nanoseconds can say
    times = pa.array([far, -1000], pa.int64()).cast(pa.timestamp("us", zone))
    table = rows(range(10, 12)).set_column(3, "_kafka_time", times)
    write(tmp_path, rows(range(10, 12)))
    (file,) = tmp_path.glob("*.parquet")
    pq.write_table(table, file, use_deprecated_int96_timestamps=as_int96, store_schema=False)
    (batch,) = PinnedBronze(str(tmp_path), 0, "t").rows([SPAN])
    assert batch.times.tolist() == [far, -1000]


def test_rows_that_delta_rs_has_rewritten_have_the_same_hashes(tmp_path: Path) -> None:
    write(tmp_path, rows(range(10, 13), _headers=[("a", b"b")], _key=b"k"))
    DeltaTable(tmp_path).delete("_offset = 12")
    types = pq.read_schema(*map(str, DeltaTable(tmp_path).file_uris())).types
    assert pa.string_view() in types and pa.binary_view() in types  # which it writes, and Spark doesn't
    (before,), (after,) = (list(PinnedBronze(str(tmp_path), version, "t").rows([SPAN])) for version in (0, 1))
    assert before.hashes.tolist()[:2] == after.hashes.tolist()


def test_a_table_with_features_that_it_does_not_know_is_refused(tmp_path: Path) -> None:
    write_deltalake(tmp_path, rows(range(3)), configuration={"delta.enableDeletionVectors": "true"})
    with pytest.raises(TidemarkError, match="needs a reader of version 3"):
        PinnedBronze(str(tmp_path), 0, "t")


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TidemarkError, match="version 0 can't be read"):
        PinnedBronze(str(tmp_path / "gone"), 0, "t")


def test_every_row_is_looked_at_for_strays(tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"_topic": None, "_partition": None, "_offset": None}
    write(
        tmp_path,
        rows(range(12), _errors=["malformed"]),
        rows(range(3), partition=4),
        rows(range(5, 7), _topic="other"),
        rows(range(1), _topic="export:1"),
        rows(range(1), **nothing),
    )
    strays = Strays("t", [Span(0, 2, 8)], [Span(0, 1, 9)])
    for batch in PinnedBronze(str(tmp_path), 4, "t").positions():
        strays.add(batch)
    assert (strays.inside, strays.quarantined) == (6, 6)
    assert strays.findings() == [
        Finding(Kind.PHANTOM, -1, -1, 0, ""),
        Finding(Kind.PHANTOM, 0, 5, 7, "other"),
        Finding(Kind.PHANTOM, 0, 0, 1),
        Finding(Kind.PHANTOM, 0, 9, 12),
        Finding(Kind.PHANTOM, 4, 0, 3),
    ]


def test_strays_of_several_batches_are_joined() -> None:
    strays = Strays("t", [], [])
    for offsets in ([3, 1], [2, 2], [5]):
        size = len(offsets)
        place = (np.zeros(size, np.int64), np.array(offsets))
        strays.add(Positions(pa.array(["t"] * size), *place, np.zeros(size, np.bool_)))
    assert strays.findings() == [Finding(Kind.PHANTOM, 0, 1, 4), Finding(Kind.PHANTOM, 0, 5, 6)]
