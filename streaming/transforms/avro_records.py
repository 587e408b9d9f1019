"""Decode a record's Avro value in the Confluent wire format, each by its writer's schema into the contract's.

The format: a zero byte, the id of the writer's schema in four bytes, the body (Confluent's documentation of the wire
format). Spark decodes natively, and `io.tidemark.FlatRecord` in one pass what is exactly a record of plain fields.
Every field may be absent or null to Spark, so that one that is gets its own reason. Avro does not say where a body
ends: for Spark a mark is put behind it and read as one field more, and only a body that was read to its end, and had
nothing behind that, shows the mark. A value that brings the mark along is taken for a broken one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.avro.functions import from_avro

from streaming.schema import wire_type
from streaming.transforms.decoding import PARSED, fields_of, headers_of
from tidemark import bronze
from tidemark.contracts import Column as ContractColumn
from tidemark.contracts import Contract
from tidemark.writers import (
    BODY_FIELD,
    END_BYTES,
    END_FIELD,
    Writer,
    end_mark,
    flat_plan,
    reader_schema,
    written_schema,
)

UNRESOLVED = "tidemark: unresolved schema id"  # what the micro-batch fails with; the id follows

_ID_AT, _BODY_AT = 2, 6
_REST = 2**31 - 1
_WHOLE = "__whole"  # the body, and the mark behind it
_FAULT = "__fault"


@dataclass(frozen=True)
class AvroRecords:
    """Records whose value is Avro, as far as their writers' schemas are known.

    A micro-batch with any other id fails, and nothing of it is written: whoever runs it asks the registry and comes
    back with one more writer, or one more absent id.
    """

    writers: Mapping[int, Writer]
    absent: frozenset[int] = field(default_factory=frozenset)  # ids that the registry does not know

    def decoded(self, rows: DataFrame, contract: Contract) -> DataFrame:
        """Add the parsed value, its schema's id, what is wrong with the frame, and the headers with columns."""
        read = {bronze.SCHEMA_ID: self._schema_id(), _WHOLE: self._whole(contract), **headers_of(contract)}
        return rows.withColumns(read).withColumns({PARSED: _body(contract), _FAULT: self._fault()})

    def is_suspect(self, contract: Contract) -> Column:
        """Tell whether the value needs a second look."""
        suspect = ~_is_whole()
        for column in fields_of(contract):
            value = F.col(PARSED)[column.wire]
            if column.required:
                suspect = suspect | value.isNull()
            if column.logical_type == "string":
                suspect = suspect | F.coalesce(~F.is_valid_utf8(value), F.lit(False))
        misfits = [writer.id for writer in self.writers.values() if writer.misfits]
        return F.coalesce(suspect | _is_one_of(F.col(bronze.SCHEMA_ID), misfits), F.lit(True))

    def document(self) -> Column:
        """Give what is wrong with the frame."""
        return F.col(_FAULT)

    def document_problem(self, document: Column) -> Column:
        """Name what is wrong with the frame, or that the body can't be read."""
        return F.coalesce(document, F.when(~_is_whole(), F.lit(bronze.MALFORMED)))

    def field_problem(self, document: Column, contract: Contract, column: ContractColumn) -> Column:
        """Name what is wrong with one field: its writer has another type, or has it not, or it is null; else null."""
        schema, value = F.col(bronze.SCHEMA_ID), F.col(PARSED)[column.wire]
        misfits = [writer.id for writer in self.writers.values() if column.wire in writer.misfits]
        without = [writer.id for writer in self.writers.values() if column.wire not in writer.fields]
        problem = F.when(_is_one_of(schema, misfits), F.lit(f"{bronze.TYPE}:{column.name}"))
        if column.required:
            problem = problem.when(_is_one_of(schema, without), F.lit(f"{bronze.MISSING}:{column.name}"))
            problem = problem.when(value.isNull(), F.lit(f"{bronze.NULL}:{column.name}"))
        if column.logical_type == "string":
            problem = problem.when(~F.is_valid_utf8(value), F.lit(f"{bronze.ENCODING}:{column.name}"))
        return problem

    def not_finite_problem(self, column: ContractColumn) -> Column:
        """Avro can hold NaN and Infinity: they are found as they are."""
        return F.lit(None).cast("string")

    def gave_up(self) -> Column:
        """Every record that can't be read has its reason."""
        return F.lit(False)

    def _whole(self, contract: Contract) -> Column:
        body = F.substring(F.col(bronze.VALUE), F.lit(_BODY_AT), F.lit(_REST))
        marked = F.concat(body, F.lit(END_BYTES))
        none = from_avro(F.lit(None).cast("binary"), reader_schema(contract))
        readable = [writer for writer in self.writers.values() if writer.is_record]
        branches = [(_begins(each.id), _read(marked, contract, each)) for each in readable]
        # Whatever is asked of the value fails: no filter may take an unread record for one without the field.
        return _first_of([*branches, (self._is_unresolved(), _unresolved())], none)

    def _schema_id(self) -> Column:
        known = [(_begins(schema_id), F.lit(schema_id)) for schema_id in self.writers]
        absent = [(_is_framed() & _is_one_of(_written_id(), self.absent), _written_id().try_cast("int"))]
        unresolved = [(self._is_unresolved(), _unresolved().cast("int"))]
        return _first_of([*known, *absent, *unresolved], F.lit(None).cast("int"))

    def _is_unresolved(self) -> Column:
        return _is_framed() & ~_is_one_of(_written_id(), [*self.writers, *self.absent])

    def _fault(self) -> Column:
        value, schema_id = F.col(bronze.VALUE), F.col(bronze.SCHEMA_ID)
        known = F.coalesce(_is_one_of(schema_id, self.writers), F.lit(False))
        no_records = [writer.id for writer in self.writers.values() if not writer.is_record]
        return (
            F.when(value.isNull(), F.lit(bronze.TOMBSTONE))
            .when(F.octet_length(value) == 0, F.lit(bronze.EMPTY))
            .when(~_begins_right(), F.lit(bronze.MAGIC))
            .when(F.octet_length(value) < _BODY_AT - 1, F.lit(bronze.MALFORMED))
            .when(~known, F.lit(bronze.UNKNOWN_SCHEMA))
            .when(_is_one_of(schema_id, no_records), F.lit(bronze.NOT_OBJECT))
        )


def unresolved_ids(records: DataFrame, decoder: AvroRecords) -> DataFrame:
    """Give the ids in records that the decoder neither knows nor knows to be absent, each once.

    Args:
        records: with the columns of bronze's envelope.
    """
    found = records.where(_is_framed()).select(_written_id().alias("id")).distinct()
    return found.where(~_is_one_of(F.col("id"), [*decoder.writers, *decoder.absent]))


def _is_framed() -> Column:
    return (F.octet_length(F.col(bronze.VALUE)) >= _BODY_AT - 1) & _begins_right()


def _written_id() -> Column:
    return F.conv(F.hex(F.substring(F.col(bronze.VALUE), _ID_AT, 4)), 16, 10).cast("bigint")


def _unresolved() -> Column:
    return F.raise_error(F.concat(F.lit(f"{UNRESOLVED} "), _written_id().cast("string")))


def _body(contract: Contract) -> Column:
    body = F.col(_WHOLE)[BODY_FIELD]
    for column in fields_of(contract):
        if column.logical_type == "date":
            body = body.withField(column.wire, body[column.wire].cast("string"))  # as in JSON
    return body


def _is_whole() -> Column:
    """Tell whether the body ends where its writer's schema says."""
    own = F.contains(F.col(bronze.VALUE), F.lit(END_BYTES))
    return F.col(_WHOLE)[END_FIELD].eqNullSafe(F.lit(end_mark())) & ~own


def _read(marked: Column, contract: Contract, writer: Writer) -> Column:
    options = {"avroSchema": reader_schema(contract, writer), "mode": "PERMISSIVE"}
    whole = from_avro(marked, written_schema(writer), options)
    if not writer.misfits:
        plan = flat_plan(contract, writer)
        return F.coalesce(_read_flat(contract, plan), whole) if plan else whole
    unread = from_avro(F.lit(None).cast("binary"), reader_schema(contract))
    wires = [column.wire for column in fields_of(contract)]
    body = {wire: (unread if wire in writer.misfits else whole)[BODY_FIELD][wire].alias(wire) for wire in wires}
    return F.struct(F.struct(*body.values()).alias(BODY_FIELD), whole[END_FIELD].alias(END_FIELD))


def _read_flat(contract: Contract, plan: str) -> Column:
    """Read a record that is exactly as its writer's schema says: so it has the mark."""
    body = T.StructType([T.StructField(column.wire, _body_type(column)) for column in fields_of(contract)])
    whole = T.StructType([T.StructField(BODY_FIELD, body), T.StructField(END_FIELD, T.LongType())])
    literals = (F.lit(each) for each in (whole.json(), plan, end_mark()))
    return F.call_function("read_flat_record", F.col(bronze.VALUE), *literals)


def _body_type(column: ContractColumn) -> T.DataType:
    return T.DateType() if column.logical_type == "date" else wire_type(column)


def _begins_right() -> Column:
    return F.startswith(F.col(bronze.VALUE), F.lit(b"\x00"))


def _begins(schema_id: int) -> Column:
    return F.startswith(F.col(bronze.VALUE), F.lit(b"\x00" + schema_id.to_bytes(4, "big")))


def _is_one_of(value: Column, found: Iterable[int]) -> Column:
    listed = list(found)
    return value.isin(listed) if listed else F.lit(False)


def _first_of(branches: list[tuple[Column, Column]], otherwise: Column) -> Column:
    chained = otherwise
    for condition, value in reversed(branches):
        chained = F.when(condition, value).otherwise(chained)
    return chained
