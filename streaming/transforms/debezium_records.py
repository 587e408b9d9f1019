"""Decode Debezium's change events: the envelope is unwrapped into one flat JSON object, which is judged as any other.

The rules are in `tidemark.debezium`. A value without an envelope stays as it is: it lacks what the contract requires.
"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from streaming.transforms.decoding import fields_of
from streaming.transforms.json_records import JsonRecords, is_one_document, whole_document
from tidemark import bronze, debezium
from tidemark.contracts import Column as ContractColumn
from tidemark.contracts import Contract

_DOCUMENT, _ENVELOPE, _ROW, _OPERATION = "__document", "__envelope", "__row", "__operation"


@dataclass(frozen=True)
class DebeziumRecords(JsonRecords):
    """Records whose value is a change event."""

    text: str = _ROW

    def decoded(self, rows: DataFrame, contract: Contract) -> DataFrame:
        """Add the unwrapped row and all that a JSON object has."""
        value = F.col(bronze.VALUE).cast("string")
        documents = rows.withColumn(_DOCUMENT, whole_document(value)).withColumn(_ENVELOPE, _envelope())
        events = documents.withColumn(_OPERATION, _text("op"))
        # What is not one JSON object is judged as it stands.
        row = F.when(_is_object("$[0]", F.col(_DOCUMENT)) & is_one_document(F.col(_DOCUMENT)), _row(contract))
        return super().decoded(events.withColumn(_ROW, F.coalesce(row, value)), contract)

    def is_required(self, contract: Contract, column: ContractColumn) -> Column:
        """Tell whether this event must have a field: a delete need not have all."""
        if debezium.required_of_delete(contract, column):
            return F.lit(True)
        return F.lit(column.required) & ~F.equal_null(F.col(_OPERATION), F.lit(debezium.DELETE))


def _envelope() -> Column:
    """Take the envelope out of the converter's wrapper, if it is in one."""
    whole = F.try_variant_get(F.col(_DOCUMENT), "$[0]", "variant")
    payload = F.try_variant_get(whole, "$.payload", "variant")
    # Both keys and no other, as `debezium.unwrapped` has it: an envelope of its own has neither.
    is_wrapper = F.try_variant_get(whole, "$.schema", "variant").isNotNull() & payload.isNotNull()
    return F.when(is_wrapper, payload).otherwise(whole)


def _row(contract: Contract) -> Column:
    """Write the unwrapped event as JSON: what is absent stays absent, what is null stays null."""
    return F.to_json(F.struct(*[_field(column.wire).alias(column.wire) for column in fields_of(contract)]))


def _field(wire: str) -> Column:
    deleted = F.equal_null(F.col(_OPERATION), F.lit(debezium.DELETE))
    if wire == debezium.DELETED:
        return F.when(deleted, F.lit("true")).otherwise(F.lit("false"))
    path = debezium.envelope_path(wire) if debezium.of_envelope(wire) else None
    if path:
        return _at(*path)
    return F.when(deleted, _at("before", wire)).otherwise(_at("after", wire))


def _at(*path: str) -> Column:
    steps = "".join(f"['{step}']" for step in path)
    return F.try_variant_get(F.col(_ENVELOPE), f"${steps}", "variant")


def _text(field: str) -> Column:
    return F.try_variant_get(F.col(_ENVELOPE), f"$.{field}", "string")


def _is_object(path: str, document: Column) -> Column:
    kind = F.schema_of_variant(F.try_variant_get(document, path, "variant"))
    return F.coalesce(kind.startswith("OBJECT"), F.lit(False))
