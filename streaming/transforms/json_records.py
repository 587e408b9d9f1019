"""Decode a record's JSON value, and say for a suspect one exactly what is wrong with it.

Spark's `from_json` is fast and too kind: it takes trailing garbage, a second object, a number where text is due and
broken UTF-8. So each record is parsed once, with an end marker written into its object: a document that is not one
object does not carry the marker where it must. Only what then looks suspect is parsed again as a VARIANT, which knows
each value's type. Of a key that stands twice the last value counts, as in most JSON parsers; where an earlier one is
no number or boolean as the contract has it, the record is quarantined as malformed.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from streaming.schema import wire_type
from tidemark import bronze
from tidemark.contracts import Column as ContractColumn
from tidemark.contracts import Contract

PARSED = "__parsed"
_TOO_DEEP = "__too_deep"

_END = "~end~"  # no wire name can be this, or the next
_CORRUPT = "~corrupt~"
_OPTIONS = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": _CORRUPT,
    "allowNonNumericNumbers": "false",
    "allowSingleQuotes": "false",
}
# Deeper than MAX_DEPTH levels need at least this many bytes, and of one kind of bracket more than this many.
_SHALLOW_BYTES = 2 * bronze.MAX_DEPTH
_SHALLOW_BRACKETS = bronze.MAX_DEPTH // 2

_VARIANT_TYPES = {
    "string": ("STRING",),
    "integer": ("BIGINT",),
    "number": ("BIGINT", "DECIMAL", "DOUBLE"),
    "boolean": ("BOOLEAN",),
    "date": ("STRING",),
}


def decoded(rows: DataFrame, contract: Contract) -> DataFrame:
    """Add the parsed value, a struct by wire name; whether it has too many levels; and the headers with columns.

    These are what Spark has no generated code for: in one projection, they cost one copy of the row.
    """
    parsed = _parsed([column for column in contract.columns if column.source == "value"])
    headers = {_header(column): _header_value(column) for column in contract.columns if column.source == "header"}
    return rows.withColumns({PARSED: parsed, _TOO_DEEP: _too_deep(), **headers})


def is_suspect(contract: Contract) -> Column:
    """Tell whether the value needs a second look; where this is false, the parsed fields are what was written."""
    fields = [column for column in contract.columns if column.source == "value"]
    parsed = F.col(PARSED)
    suspect = parsed[_END].isNull() | parsed[_CORRUPT].isNotNull() | ~F.is_valid_utf8(_text())
    suspect = suspect | ~_text().endswith("}") | F.col(_TOO_DEEP)
    for column in fields:
        if column.required:
            suspect = suspect | parsed[column.wire].isNull()
        if wire_type(column) == T.StringType():
            suspect = suspect | _may_be_bare(column)
    # A null value makes every part above null: it is suspect too.
    return F.coalesce(suspect, F.lit(True))


def value_of(column: ContractColumn) -> Column:
    """Give a column's value as it stood in the record, typed as on the wire."""
    if column.source == "key":
        return F.col(bronze.KEY).cast("string")
    return F.col(_header(column)) if column.source == "header" else F.col(PARSED)[column.wire]


def document() -> Column:
    """Parse the value once more, as a VARIANT: an array of the document and a closing mark.

    The mark at index 1 shows that the value was one document and nothing else; null: the value is not JSON.
    """
    return F.try_parse_json(F.concat(F.lit("["), _text(), F.lit(f',"{_END}"]')))


def document_problem(parsed: Column) -> Column:
    """Name what is wrong with the value as a whole; null where it is one JSON object."""
    whole = F.try_variant_get(parsed, "$[1]", "string") == _END
    alone = F.try_variant_get(parsed, "$[2]", "variant").isNull()
    kind = F.schema_of_variant(F.try_variant_get(parsed, "$[0]", "variant"))
    return (
        F.when(F.col(bronze.VALUE).isNull(), F.lit(bronze.TOMBSTONE))
        .when(~F.is_valid_utf8(_text()), F.lit(bronze.ENCODING))
        .when(F.trim(_text()) == "", F.lit(bronze.EMPTY))
        .when(F.col(_TOO_DEEP), F.lit(bronze.DEPTH))
        .when(~F.coalesce(whole & alone, F.lit(False)), F.lit(bronze.MALFORMED))
        .when(~kind.startswith("OBJECT"), F.lit(bronze.NOT_OBJECT))
    )


def field_problem(parsed: Column, column: ContractColumn) -> Column:
    """Name what is wrong with one field of the object: missing, null or of another type; else null."""
    found = F.schema_of_variant(F.try_variant_get(parsed, f"$[0]['{column.wire}']", "variant"))
    allowed = _VARIANT_TYPES.get(column.logical_type) or (("BIGINT",) if column.unit else ("STRING",))
    fits = F.lit(False)
    for kind in allowed:
        fits = fits | found.startswith(kind)
    absent = F.lit(f"{bronze.MISSING}:{column.name}" if column.required else None)
    null = F.lit(f"{bronze.NULL}:{column.name}" if column.required else None)
    return F.when(found.isNull(), absent).when(found == "VOID", null).when(~fits, f"{bronze.TYPE}:{column.name}")


def not_finite_problem(column: ContractColumn) -> Column:
    """Name a field whose value is NaN or Infinity, which no JSON document can have; else null."""
    written = rf'"{column.wire}"\s*:\s*[+-]?(NaN|Inf)'
    return F.when(_text().rlike(written), F.lit(f"{bronze.RANGE}:{column.name}"))


def gave_up() -> Column:
    """Tell whether the first parse found the value broken."""
    return F.coalesce(F.col(PARSED)[_CORRUPT].isNotNull(), F.lit(True))


def _text() -> Column:
    return F.col(bronze.VALUE).cast("string")


def _header(column: ContractColumn) -> str:
    return f"__header_{column.name}"


def _header_value(column: ContractColumn) -> Column:
    """Give the value of the last header of a column's name."""
    named = F.filter(F.col(bronze.HEADERS), lambda header: header["key"] == column.wire)
    return F.try_element_at(named, F.lit(-1))["value"].cast("string")


def _parsed(fields: list[ContractColumn]) -> Column:
    schema = T.StructType([T.StructField(column.wire, wire_type(column)) for column in fields])
    schema.add(_END, T.BooleanType()).add(_CORRUPT, T.StringType())
    value = F.col(bronze.VALUE)
    # The marker takes the place of the closing brace; `is_suspect` asks whether that is what stood there.
    body = F.substring(value, F.lit(1), F.octet_length(value) - 1)
    return F.from_json(F.concat(body, F.lit(f',"{_END}":true}}'.encode())).cast("string"), schema, _OPTIONS)


def _may_be_bare(column: ContractColumn) -> Column:
    """Tell that the value may be a number, boolean, object or array that was read as text.

    Only text that looks like one can be, and most does not. It is none if the document has its key once, with that
    text after it in quotes: another number may stand behind the same key, escaped or further on, and the last counts.
    """
    value, key = F.col(PARSED)[column.wire], f'"{column.wire}"'
    # By the first byte: ":" is the one after "9", "." and "/" stand between "-" and "0".
    starts_bare = value.between("-", ":") & value.rlike(r"\A[-+.0-9eE]+\z")
    looks_bare = starts_bare | value.startswith("{") | value.startswith("[") | value.isin("true", "false")
    tight = _text().contains(F.concat(F.lit(f'{key}:"'), value, F.lit('"')))
    spaced = _text().contains(F.concat(F.lit(f'{key}: "'), value, F.lit('"')))
    once = (F.substring_index(_text(), key, 2) == _text()) & ~_text().contains(F.lit("\\"))
    return value.isNotNull() & looks_bare & ~((tight | spaced) & once)


def _may_be_deep() -> Column:
    """Tell whether the value has brackets enough for too many levels: cheap, and mostly false."""
    size = F.octet_length(F.col(bronze.VALUE))
    many = F.lit(False)
    for bracket in "{[":
        without = F.octet_length(F.replace(_text(), F.lit(bracket), F.lit("")))
        many = many | (size - without > _SHALLOW_BRACKETS)
    return (size > _SHALLOW_BYTES) & many


def _too_deep() -> Column:
    """Tell whether the value has too many levels: brackets inside text are none."""
    unescaped = F.regexp_replace(_text(), r"(?s)\\.", "")
    outside_text = F.regexp_replace(unescaped, r'"[^"]*"', "")
    brackets = F.split(F.regexp_replace(outside_text, r"[^\[\]{}]+", ""), "")

    def step(levels: Column, bracket: Column) -> Column:
        now = levels["now"] + F.when(bracket.isin("{", "["), 1).otherwise(-1)
        return F.struct(now.alias("now"), F.greatest(levels["most"], now).alias("most"))

    none = F.struct(F.lit(0).alias("now"), F.lit(0).alias("most"))
    deepest = F.aggregate(brackets, none, step, lambda levels: levels["most"])
    return F.when(_may_be_deep(), deepest > bronze.MAX_DEPTH).otherwise(F.lit(False))
