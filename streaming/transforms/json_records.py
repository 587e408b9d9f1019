"""Decode a record's JSON value, and say for a suspect one exactly what is wrong with it.

Spark's `from_json` is fast and too kind: it takes trailing garbage, a second object, a number where text is due and
broken UTF-8. So most records never meet it: `io.tidemark.FlatObject` reads flat objects that are as the contract has
them, and gives up on all others. Those are parsed by `from_json`, with an end marker written into their object: a
document that is not one object does not carry the marker where it must. Only what then looks suspect is parsed again as
a VARIANT, which knows each value's type. Of a key that stands twice the last value counts, as in most JSON parsers;
where an earlier one is no number or boolean as the contract has it, the record is quarantined as malformed.
"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from streaming.schema import wire_type
from streaming.transforms.decoding import END, PARSED, fields_of, headers_of
from tidemark import bronze
from tidemark.contracts import Column as ContractColumn
from tidemark.contracts import Contract

_TOO_DEEP = "__too_deep"
# No wire name can be this. `from_json` puts the text of a broken document there and nothing else, so it is never empty.
_CORRUPT = "~corrupt~"
_FLAT = ""  # what `read_flat_object` puts there
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


@dataclass(frozen=True)
class JsonRecords:
    """Records whose value is a JSON object."""

    text: str = bronze.VALUE  # the column with the object; another than the value where the format wraps it

    def decoded(self, rows: DataFrame, contract: Contract) -> DataFrame:
        """Add the parsed value, whether it has too many levels, and the headers with columns.

        These are what Spark has no generated code for: in one projection, they cost one copy of the row.
        """
        return rows.withColumns({PARSED: self._parsed(contract), _TOO_DEEP: _too_deep(), **headers_of(contract)})

    def is_suspect(self, contract: Contract) -> Column:
        """Tell whether the value needs a second look."""
        parsed = F.col(PARSED)
        of_text = ~F.equal_null(parsed[END], self._mark()) | parsed[_CORRUPT].isNotNull() | ~self._text().endswith("}")
        for column in fields_of(contract):
            if wire_type(column) == T.StringType():
                of_text = of_text | self._may_be_bare(column)
        of_value = ~F.is_valid_utf8(_raw()) | F.col(_TOO_DEEP)
        # What was read flat has passed all of this; but where the format unwraps a row, that says nothing of the value.
        flat = F.equal_null(parsed[_CORRUPT], F.lit(_FLAT))
        suspect = ~flat & (of_text | of_value) if self.text == bronze.VALUE else (~flat & of_text) | of_value
        for column in fields_of(contract):
            if column.required:
                suspect = suspect | parsed[column.wire].isNull()
        # A null value makes every part above null: it is suspect too.
        return F.coalesce(suspect, F.lit(True))

    def document(self) -> Column:
        """Parse the value once more, as a VARIANT: an array of the document and a closing mark."""
        return whole_document(self._text())

    def document_problem(self, document: Column) -> Column:
        """Name what is wrong with the value as a whole; null where it is one JSON object."""
        kind = F.schema_of_variant(F.try_variant_get(document, "$[0]", "variant"))
        return (
            F.when(F.col(bronze.VALUE).isNull(), F.lit(bronze.TOMBSTONE))
            .when(~F.is_valid_utf8(_raw()), F.lit(bronze.ENCODING))
            .when(F.trim(_raw()) == "", F.lit(bronze.EMPTY))
            .when(F.col(_TOO_DEEP), F.lit(bronze.DEPTH))
            .when(~is_one_document(document), F.lit(bronze.MALFORMED))
            .when(~kind.startswith("OBJECT"), F.lit(bronze.NOT_OBJECT))
        )

    def field_problem(self, document: Column, contract: Contract, column: ContractColumn) -> Column:
        """Name what is wrong with one field of the object: missing, null or of another type; else null."""
        found = F.schema_of_variant(F.try_variant_get(document, f"$[0]['{column.wire}']", "variant"))
        allowed = _VARIANT_TYPES.get(column.logical_type) or (("BIGINT",) if column.unit else ("STRING",))
        fits = F.lit(False)
        for kind in allowed:
            fits = fits | found.startswith(kind)
        required = self.is_required(contract, column)
        absent = F.when(required, F.lit(f"{bronze.MISSING}:{column.name}"))
        null = F.when(required, F.lit(f"{bronze.NULL}:{column.name}"))
        return F.when(found.isNull(), absent).when(found == "VOID", null).when(~fits, f"{bronze.TYPE}:{column.name}")

    def is_required(self, contract: Contract, column: ContractColumn) -> Column:
        """Tell whether this record must have a field."""
        return F.lit(column.required)

    def not_finite_problem(self, column: ContractColumn) -> Column:
        """Name a field whose value is NaN or Infinity, which no JSON document can have; else null."""
        written = rf'"{column.wire}"\s*:\s*[+-]?(NaN|Inf)'
        return F.when(_raw().rlike(written), F.lit(f"{bronze.RANGE}:{column.name}"))

    def gave_up(self) -> Column:
        """Tell whether the first parse found the value broken."""
        return F.coalesce(F.col(PARSED)[_CORRUPT] != _FLAT, F.col(PARSED).isNull())

    def _text(self) -> Column:
        return F.col(self.text).cast("string")

    def _parsed(self, contract: Contract) -> Column:
        schema = T.StructType([T.StructField(column.wire, wire_type(column)) for column in fields_of(contract)])
        schema.add(END, T.StringType()).add(_CORRUPT, T.StringType())  # as text, whatever a document has there is read
        value = F.col(self.text).cast("binary")
        flat = F.call_function("read_flat_object", value, F.lit(schema.json()))
        # The marker takes the place of the closing brace; `is_suspect` asks whether that is what stood there.
        body = F.substring(value, F.lit(1), F.octet_length(value) - 1)
        marked = F.concat(body.cast("string"), F.lit(f',"{END}":"'), self._mark(), F.lit('"}'))
        return F.coalesce(flat, F.from_json(marked, schema, _OPTIONS))

    def _mark(self) -> Column:
        """Give what END must be: no document can have it in itself, since it is made of the whole."""
        return F.xxhash64(F.col(self.text).cast("binary")).cast("string")

    def _may_be_bare(self, column: ContractColumn) -> Column:
        """Tell that the value may be a number, boolean, object or array that was read as text.

        Only text that looks like one can be, and most does not. It is none if the document has its key once, with that
        text after it in quotes: another number may stand behind the same key, escaped or further on, and the last
        counts.
        """
        value, key = F.col(PARSED)[column.wire], f'"{column.wire}"'
        # By the first byte: ":" is the one after "9", "." and "/" stand between "-" and "0".
        starts_bare = value.between("-", ":") & value.rlike(r"\A[-+.0-9eE]+\z")
        looks_bare = starts_bare | value.startswith("{") | value.startswith("[") | value.isin("true", "false")
        tight = self._text().contains(F.concat(F.lit(f'{key}:"'), value, F.lit('"')))
        spaced = self._text().contains(F.concat(F.lit(f'{key}: "'), value, F.lit('"')))
        once = (F.substring_index(self._text(), key, 2) == self._text()) & ~self._text().contains(F.lit("\\"))
        return value.isNotNull() & looks_bare & ~((tight | spaced) & once)


def whole_document(text: Column) -> Column:
    """Parse a text as a VARIANT: an array of the document and a closing mark; null: it is not JSON."""
    return F.try_parse_json(F.concat(F.lit("["), text, F.lit(f',"{END}"]')))


def is_one_document(document: Column) -> Column:
    """Tell whether the parsed text was one document and nothing else: then the mark stands at index 1, and last."""
    whole = F.try_variant_get(document, "$[1]", "string") == END
    alone = F.try_variant_get(document, "$[2]", "variant").isNull()
    return F.coalesce(whole & alone, F.lit(False))


def _raw() -> Column:
    return F.col(bronze.VALUE).cast("string")


def _may_be_deep() -> Column:
    """Tell whether the value has brackets enough for too many levels: cheap, and mostly false."""
    size = F.octet_length(F.col(bronze.VALUE))
    many = F.lit(False)
    for bracket in "{[":
        without = F.octet_length(F.replace(_raw(), F.lit(bracket), F.lit("")))
        many = many | (size - without > _SHALLOW_BRACKETS)
    return (size > _SHALLOW_BYTES) & many


def _too_deep() -> Column:
    """Tell whether the value has too many levels: brackets inside text are none."""
    unescaped = F.regexp_replace(_raw(), r"(?s)\\.", "")
    outside_text = F.regexp_replace(unescaped, r'"[^"]*"', "")
    brackets = F.split(F.regexp_replace(outside_text, r"[^\[\]{}]+", ""), "")

    def step(levels: Column, bracket: Column) -> Column:
        now = levels["now"] + F.when(bracket.isin("{", "["), 1).otherwise(-1)
        return F.struct(now.alias("now"), F.greatest(levels["most"], now).alias("most"))

    none = F.struct(F.lit(0).alias("now"), F.lit(0).alias("most"))
    deepest = F.aggregate(brackets, none, step, lambda levels: levels["most"])
    return F.when(_may_be_deep(), deepest > bronze.MAX_DEPTH).otherwise(F.lit(False))
