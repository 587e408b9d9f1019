"""Export files as records: what is a row, what is none, and which files are refused as a whole."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemark.contracts import Contract, read_contract
from tidemark.export_rows import records
from tidemark.exports import ExportFile, ExportRefused, of_archive, of_day
from tidemark.settings import ROOT, Settings

pytestmark = pytest.mark.unit

SALES = read_contract(ROOT / "contracts" / "sales_events.yaml")
DAY = date(2026, 3, 29)
AT = datetime(2026, 3, 29, tzinfo=UTC)
SALE = {"product_id": "p1", "quantity": 2, "revenue": 9.5, "customer_id": "c1", "timestamp": 1_774_742_400_000}


def read(path: Path, contract: Contract = SALES) -> list[dict[str, Any]]:
    return [row for table in records(ExportFile(path), contract, AT) for row in table.to_pylist()]


def values(path: Path) -> list[Any]:
    return [json.loads(row["value"]) for row in read(path)]


def test_the_three_formats_make_the_same_records_with_key_and_headers(tmp_path: Path) -> None:
    row = {"sale_id": "s1", **SALE, "source": "shop"}
    lines, table, text = (tmp_path / f"a.{suffix}" for suffix in ("jsonl", "parquet", "csv"))
    lines.write_text(json.dumps(row) + "\n")
    at = datetime(2026, 3, 29, tzinfo=UTC)
    typed = row | {"event_time": at}
    del typed["timestamp"]
    pq.write_table(pa.Table.from_pylist([typed]), table)
    text.write_text(f"{','.join(typed)}\ns1,p1,2,9.5,c1,shop,{at.isoformat()}\n")
    for path in (lines, table, text):
        (found,) = read(path)
        assert found["key"] == b"s1"
        assert found["headers"] == [{"key": "source", "value": b"shop"}]
        assert json.loads(found["value"]) == SALE
        assert (found["partition"], found["offset"], found["timestamp"]) == (0, 0, AT)
        assert found["topic"].startswith("export:")


def test_what_is_no_row_stays_as_it_is_and_harms_no_neighbour(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [b'{"sale_id": "s1"}', b"{not json", b"[1]", b"\xff\xfe", b'{"sale_id": "s2"}', b'{"sale_id": "s3"']
    path.write_bytes(b"\n".join(lines))
    found = read(path)
    assert [row["key"] for row in found] == [b"s1", None, None, None, b"s2", None]
    assert [row["value"] for row in found if row["key"] is None] == [lines[1], lines[2], lines[3], lines[5]]
    assert [row["offset"] for row in found] == list(range(6))


def test_a_csv_row_with_too_many_fields_is_no_document_and_a_wrong_number_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    names = "sale_id,product_id,quantity,revenue,customer_id,timestamp"
    path.write_text(f'{names}\ns1,p1,2,9.5,c1,1774742400000,extra\ns2,"p,1",two,,c1,1774742400000\n')
    broken, wrong = read(path)
    assert broken["value"] == b"s1,p1,2,9.5,c1,1774742400000,extra"
    document = json.loads(wrong["value"])
    assert (document["product_id"], document["quantity"], "revenue" in document) == ("p,1", "two", False)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b"sale_id,product_id\ns1,p1\n", "lacks columns quantity"),
        ("a.csv", b"sale_id,product_id,quantity,revenue,customer_id,timestamp,color\n", "has unknown columns color"),
        ("a.csv", b"sale_id,product_id,quantity,revenue,customer_id,timestamp\ns1,p1,2,9", "may be cut short"),
        ("a.parquet", b"PAR1 and then nothing", "no whole Parquet file"),
    ],
)
def test_a_file_with_other_columns_or_cut_short_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExportRefused, match=f"{name}.*{why}"):
        read(tmp_path / name)


def test_only_finished_files_of_the_day_inside_the_folder_are_taken(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", exports=str(tmp_path / "exports"))
    folder = tmp_path / "exports" / SALES.id / f"date={DAY}"
    folder.mkdir(parents=True)
    for name in ("b.jsonl", "a.csv", "_SUCCESS", ".c.csv.part"):
        (folder / name).write_text("")
    assert [file.path.name for file in of_day(settings, SALES, DAY)] == ["a.csv", "b.jsonl"]
    assert [file.path.name for file in of_archive(settings, SALES, ".")] == ["a.csv", "b.jsonl"]
    assert of_day(settings, SALES, date(2026, 3, 30)) == []
    with pytest.raises(ExportRefused, match="no such file or folder"):
        of_archive(settings, SALES, "2019")


@pytest.mark.parametrize("place", ["../../outside", "date=2026-03-29/link.csv"])
def test_nothing_outside_the_exports_is_read(tmp_path: Path, place: str) -> None:
    settings = Settings(home=tmp_path / "home", exports=str(tmp_path / "exports"))
    folder = tmp_path / "exports" / SALES.id / f"date={DAY}"
    folder.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.csv").write_text("")
    (folder / "link.csv").symlink_to(outside / "a.csv")
    with pytest.raises(ExportRefused, match="leads out of"):
        of_archive(settings, SALES, place)
    with pytest.raises(ExportRefused, match="leads out of"):
        of_day(settings, SALES, DAY)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", exports=str(tmp_path / "exports"))
    folder = tmp_path / "exports" / SALES.id / f"date={DAY}"
    folder.mkdir(parents=True)
    (folder / "a.xlsx").write_text("")
    with pytest.raises(ExportRefused, match="allowed are files that end in"):
        of_day(settings, SALES, DAY)
