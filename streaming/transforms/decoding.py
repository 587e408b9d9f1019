"""What a record format must be able to say of records, and what all formats have in common."""

from typing import Protocol

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tidemark import bronze
from tidemark.contracts import Column as ContractColumn
from tidemark.contracts import Contract

PARSED = "__parsed"  # the decoded value: a struct by wire name
END = "~end~"  # a mark that only a value which was read to its end has; no wire name can be this


class Decoder(Protocol):
    """Decodes the records of one format, and says for a suspect one exactly what is wrong with it."""

    def decoded(self, rows: DataFrame, contract: Contract) -> DataFrame:
        """Add PARSED and the headers that have columns; where the format has one, the schema's id."""

    def is_suspect(self, contract: Contract) -> Column:
        """Tell whether the value needs a second look; where this is false, the parsed fields are what was written."""

    def document(self) -> Column:
        """Give what a second look needs to know of the whole value."""

    def document_problem(self, document: Column) -> Column:
        """Name what is wrong with the value as a whole; else null."""

    def field_problem(self, document: Column, contract: Contract, column: ContractColumn) -> Column:
        """Name what is wrong with one field: missing, null or of another type; else null."""

    def not_finite_problem(self, column: ContractColumn) -> Column:
        """Name a number that is none, in a value that could not be read for it; else null."""

    def gave_up(self) -> Column:
        """Tell whether the first look found the value broken."""


def value_of(column: ContractColumn) -> Column:
    """Give a column's value as it stood in the record, typed as on the wire."""
    if column.source == "key":
        return F.col(bronze.KEY).cast("string")
    return F.col(_header(column)) if column.source == "header" else F.col(PARSED)[column.wire]


def headers_of(contract: Contract) -> dict[str, Column]:
    """Give the value of the last header of each name that a column has."""
    return {_header(column): _last_header(column.wire) for column in contract.columns if column.source == "header"}


def fields_of(contract: Contract) -> list[ContractColumn]:
    """List the columns that the value carries."""
    return [column for column in contract.columns if column.source == "value"]


def _header(column: ContractColumn) -> str:
    return f"__header_{column.name}"


def _last_header(wire: str) -> Column:
    named = F.filter(F.col(bronze.HEADERS), lambda header: header["key"] == wire)
    return F.try_element_at(named, F.lit(-1))["value"].cast("string")
