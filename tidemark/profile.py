"""What a contract could say of a table's columns, from the rows that there are: proposals, for people to judge."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor, log10
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from deltalake import DeltaTable

from tidemark import bronze
from tidemark.contracts import Column, Contract
from tidemark.errors import TidemarkError
from tidemark.ledger import Ledger
from tidemark.settings import Settings

MOST_ROWS = 500_000

_MOST_VALUES = 12  # of an enum
_ROWS_A_VALUE = 20  # so often must a value have been seen on average
_LONGEST_PATTERN = 40  # characters of a value
_SLACK = 2.0  # how much further than what was seen a limit is put
_CLASSES = {"9": "[0-9]", "A": "[A-Z]", "a": "[a-z]"}


@dataclass(frozen=True)
class Profile:
    """Proposals from the rows that were read."""

    table: str
    version: int
    rows: int
    columns: tuple[dict[str, Any], ...]  # as in a contract's `schema`
    quality: tuple[dict[str, Any], ...]  # as in a contract's `quality`

    def to_yaml(self) -> str:
        """Write the proposals as a contract has them."""
        said = (
            f"# Proposed from {self.rows:,} rows of {self.table}, version {self.version}: judge each line yourself.\n"
        )
        proposals = {"schema": list(self.columns), "quality": list(self.quality)}
        return said + yaml.safe_dump(proposals, sort_keys=False, allow_unicode=True, default_flow_style=None, width=200)


def profile_of(settings: Settings, table: str, contract: Contract | None) -> Profile:
    """Read a table and propose what its contract could say; of a bronze table by its good rows.

    Args:
        table: `<layer>.<table>`.
        contract: what is known of the columns: of personal ones no value is shown.

    Raises:
        TidemarkError: there is no such table, or it has no row to judge by.
    """
    layer, _, name = table.partition(".")
    path = settings.table(layer, name)
    if not Ledger(path).exists():
        raise TidemarkError(f"{table}: there is no table at {path}", "name one like bronze.ride_events")
    source = DeltaTable(path)
    rows = _read(source, MOST_ROWS)
    if not len(rows):
        raise TidemarkError(f"{table}: there is no row to judge by", "let some land first")
    known = contract.by_name if contract else {}
    columns = [_column(column, rows[column], known.get(column)) for column in rows.column_names]
    quality = tuple(_quality(rows, columns, contract))
    return Profile(table, source.version(), len(rows), tuple(columns), quality)


def _read(source: DeltaTable, most: int) -> pa.Table:
    """Read the first rows that are good, without the columns that every table of a layer has."""
    dataset = source.to_pyarrow_dataset()
    wanted = [field.name for field in dataset.schema if not field.name.startswith("_") and _type(field.type)]
    has_errors = bronze.ERRORS in dataset.schema.names
    batches, count = [], 0
    for batch in dataset.to_batches(columns=[*wanted, *([bronze.ERRORS] if has_errors else [])]):
        errors = batch.column(bronze.ERRORS) if has_errors else None
        kept = batch if errors is None else batch.filter(pc.equal(pc.list_value_length(errors), 0))
        batches.append(kept.select(wanted))
        count += len(kept)
        if count >= most:
            break
    schema = pa.schema([dataset.schema.field(name) for name in wanted])
    return pa.Table.from_batches(batches, schema=batches[0].schema if batches else schema)


def _column(name: str, values: pa.ChunkedArray, known: Column | None) -> dict[str, Any]:
    kind = _type(values.type)
    said: dict[str, Any] = {"name": name, "logicalType": kind}
    if not values.null_count:
        said["required"] = True
    if known is not None and known.pii:
        return said | {"pii": True}
    if kind in ("integer", "number"):
        return said | _range(values, kind)
    return said | _text(values) if kind == "string" else said


def _range(values: pa.ChunkedArray, kind: str) -> dict[str, Any]:
    found = pc.min_max(values).as_py()
    if found["min"] is None:
        return {}
    low = 0 if found["min"] >= 0 else _rounded(found["min"] * _SLACK, floor)
    high = _rounded(found["max"] * _SLACK, ceil) if found["max"] > 0 else 0
    return {"minimum": low, "maximum": high} if kind == "number" else {"minimum": int(low), "maximum": int(high)}


def _text(values: pa.ChunkedArray) -> dict[str, Any]:
    text = pc.drop_null(values).cast(pa.string())
    if not len(text):
        return {}
    different = pc.unique(text)
    if len(different) <= _MOST_VALUES and len(text) >= _ROWS_A_VALUE * len(different):
        return {"enum": sorted(different.to_pylist())}
    pattern = _pattern(different)
    if pattern is not None:
        return {"pattern": pattern}
    longest = pc.max(pc.utf8_length(text)).as_py()
    return {"maxLength": max(1, int(_rounded(longest * _SLACK, ceil)))}


def _pattern(values: pa.Array) -> str | None:
    """Give the one shape that all values have; None where they have several."""
    shapes = values
    for written, letters in (("9", "[0-9]"), ("A", "[A-Z]"), ("a", "[a-z]")):
        shapes = pc.replace_substring_regex(shapes, letters, written)
    found = pc.unique(shapes).to_pylist()
    if len(found) != 1 or not 0 < len(found[0]) <= _LONGEST_PATTERN:
        return None
    return "".join(_repeated(_CLASSES.get(sign) or re.escape(sign), len(list(run))) for sign, run in groupby(found[0]))


def _repeated(sign: str, times: int) -> str:
    return sign if times == 1 else f"{sign}{{{times}}}"


def _quality(rows: pa.Table, columns: Iterable[dict[str, Any]], contract: Contract | None) -> Iterator[dict[str, Any]]:
    required = [column["name"] for column in columns if column.get("required")]
    if required:
        yield {"metric": "nullValues", "columns": required, "mustBe": 0}
    for name in rows.column_names:
        share = 100 * rows[name].null_count / len(rows)
        if 0 < share < 100 / _SLACK:
            bound = max(1, ceil(share * _SLACK))
            yield {
                "metric": "nullValues",
                "columns": [name],
                "mustBeLessThan": bound,
                "unit": "percent",
                "severity": "warn",
            }
    key = [name for name in (contract.key if contract else _keys(rows))[:1] if name in rows.column_names]
    if key:
        yield {"metric": "duplicateValues", "columns": key, "mustBe": 0, "layer": "silver"}
    yield {"metric": "rowCount", "mustBeGreaterThan": 0}


def _keys(rows: pa.Table) -> list[str]:
    """List the columns of text whose values all differ."""
    text = [name for name in rows.column_names if _type(rows[name].type) == "string"]
    return [name for name in text if pc.count_distinct(rows[name], mode="all").as_py() == len(rows)]


def _rounded(number: float, way: Any) -> float:
    """Round to two digits that count, one way."""
    if not number:
        return 0
    unit = 10.0 ** max(0, floor(log10(abs(number))) - 1)
    return float(way(number / unit) * unit)


def _type(of: pa.DataType) -> str:
    """Give a contract's word for a type; nothing where it has none."""
    if pa.types.is_string(of) or pa.types.is_large_string(of) or str(of) == "string_view":
        return "string"
    kinds = (
        (pa.types.is_integer, "integer"),
        (pa.types.is_floating, "number"),
        (pa.types.is_decimal, "number"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_date, "date"),
    )
    return next((word for is_of, word in kinds if is_of(of)), "")
