"""Judge decoded records by their contract: one evaluation decides good or bad, and why."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from streaming.schema import bronze_schema
from streaming.transforms.decoding import Decoder, fields_of, value_of
from tidemark import bronze
from tidemark.contracts import Column as ContractColumn
from tidemark.contracts import Contract

AT = "__at"  # when the record lands
DAY = "__day"
LATEST = "__latest"  # an event time after this is quarantined

_SUSPECT = "suspect"
_DOCUMENT = "document"
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_YEAR_ONE = -62_135_596_800_000_000  # microseconds: the first and the last instant that a timestamp shows
_YEAR_9999 = 253_402_300_799_999_999
# ISO 8601 as RFC 3339 narrows it. Spark reads more: "T10:00" as today at ten, "2024-02-29 and so on" as a date.
_DATE = r"\d{4}-\d\d-\d\d"
_WRITTEN = {
    "date": rf"\A{_DATE}\z",
    "timestamp": rf"\A{_DATE}([T ]\d\d:\d\d(:\d\d(\.\d{{1,9}})?)?(Z|[+-]\d\d:\d\d)?)?\z",
}

Breach = tuple[Column, str]


def judged(contract: Contract) -> list[Column]:
    """Give bronze's columns of decoded records that have their reasons, AT and DAY; a bad one's own are null."""
    good = (F.size(bronze.ERRORS) == 0) & F.col(bronze.VALUE).isNotNull()
    made = {
        bronze.SCHEMA_ID: F.col(bronze.SCHEMA_ID) if contract.format == "avro" else F.lit(None).cast("int"),
        bronze.CONTRACT_VERSION: F.lit(contract.version),
        bronze.INGESTED_AT: F.col(AT),
        bronze.JUDGED_AT: F.col(AT),
        bronze.INGEST_DATE: F.col(DAY),
        **{column.name: F.when(good, _typed(column)) for column in contract.columns},
    }
    return [made.get(name, F.col(name)).alias(name) for name in bronze_schema(contract).fieldNames()]


def reasons(contract: Contract, decoder: Decoder) -> Column:
    """List everything that is wrong with a decoded record that has LATEST; none: it is good.

    A column of its own: the good rows' columns ask for it again and again.
    """
    breaches = [breach for column in contract.columns for breach in _breaches(column)]
    too_new = _typed(contract.by_name[contract.event_time]) > F.col(LATEST)
    breaches.append((too_new, f"{bronze.FUTURE}:{contract.event_time}"))
    suspect = decoder.is_suspect(contract)
    doubtful = suspect
    for breach, _ in breaches:
        doubtful = doubtful | breach
    # An array of one, since a function of its item is how SQL names a value: few rows need the second look.
    looks = F.array(F.struct(suspect.alias(_SUSPECT), F.when(suspect, decoder.document()).alias(_DOCUMENT)))
    found = F.transform(looks, lambda look: _reasons(contract, decoder, breaches, look))[0]
    # A breach that can't be told is null, and no breach: what is required and null was found suspect before.
    return F.when(F.coalesce(doubtful, F.lit(False)), found).otherwise(_no_reasons())


def _reasons(contract: Contract, decoder: Decoder, breaches: list[Breach], look: Column) -> Column:
    """List every reason: what is wrong with the document as a whole, else with its fields and limits."""
    suspect, parsed = look[_SUSPECT], look[_DOCUMENT]
    whole = F.when(suspect, decoder.document_problem(parsed))
    from_value = fields_of(contract)
    fields = [F.when(suspect, decoder.field_problem(parsed, contract, column)) for column in from_value]
    limits = [F.when(breach, F.lit(reason)) for breach, reason in breaches]
    found = F.array_distinct(F.array_compact(F.array(*fields, *limits)))
    # Never silence: where the parser gave up and the second look finds nothing, that is the reason.
    unexplained = suspect & decoder.gave_up() & (F.size(found) == 0)
    judged_parts = F.when(unexplained, F.array(F.lit(bronze.MALFORMED))).otherwise(found)
    if contract.tombstone == "delete":
        whole = F.when(F.col(bronze.VALUE).isNotNull(), whole)
        judged_parts = F.when(F.col(bronze.VALUE).isNull(), _no_reasons()).otherwise(judged_parts)
    not_finite = [decoder.not_finite_problem(each) for each in from_value if each.logical_type in ("integer", "number")]
    unparsed = F.array_compact(F.array(whole, *[F.when(whole == bronze.MALFORMED, problem) for problem in not_finite]))
    return F.when(whole.isNotNull(), unparsed).otherwise(judged_parts)


def _no_reasons() -> Column:
    return F.array().cast("array<string>")


def _breaches(column: ContractColumn) -> list[Breach]:
    """Give each way in which a column's value can be outside its limits."""
    value = value_of(column)
    breaches: list[Breach] = []
    if column.source != "value":
        breaches.append((~F.is_valid_utf8(value), f"{bronze.ENCODING}:{column.name}"))
        if column.required:
            breaches.append((value.isNull(), f"{bronze.MISSING}:{column.name}"))
    if column.logical_type in ("timestamp", "date"):
        breaches += _time_breaches(column, value)
    if column.logical_type == "number":
        breaches.append((F.isnan(value) | (F.abs(value) == float("inf")), f"{bronze.RANGE}:{column.name}"))
    if column.minimum is not None or column.maximum is not None:
        outside = F.lit(False)
        outside = outside if column.minimum is None else outside | (value < column.minimum)
        outside = outside if column.maximum is None else outside | (value > column.maximum)
        breaches.append((outside, f"{bronze.RANGE}:{column.name}"))
    return breaches + _text_breaches(column, value)


def _text_breaches(column: ContractColumn, value: Column) -> list[Breach]:
    breaches: list[Breach] = []
    if column.max_length is not None:
        # Bytes first: they are known without a walk over the characters.
        too_long = (F.octet_length(value) > column.max_length) & (F.char_length(value) > column.max_length)
        breaches.append((too_long, f"{bronze.LENGTH}:{column.name}"))
    if column.pattern is not None:
        # Not ^ and $: to Java the text may go on with a line end behind a $.
        breaches.append((~value.rlike(rf"\A(?:{column.pattern})\z"), f"{bronze.PATTERN}:{column.name}"))
    if column.enum is not None:
        breaches.append((~value.isin(*column.enum), f"{bronze.ENUM}:{column.name}"))
    return breaches


def _time_breaches(column: ContractColumn, value: Column) -> list[Breach]:
    if column.logical_type == "timestamp" and column.unit:
        micros = _micros(column, value)
        outside = micros.isNull() | (micros < _YEAR_ONE) | (micros > _YEAR_9999)
        return [(value.isNotNull() & outside, f"{bronze.RANGE}:{column.name}")]
    unreadable = value.isNotNull() & _typed(column).isNull()
    first, last = F.timestamp_micros(F.lit(_YEAR_ONE)), F.timestamp_micros(F.lit(_YEAR_9999))
    outside = ~_typed(column).between(first, last)
    return [(unreadable, f"{bronze.TYPE}:{column.name}"), (outside, f"{bronze.RANGE}:{column.name}")]


def _typed(column: ContractColumn) -> Column:
    """Give a column's value in its bronze type; null where it can't be had."""
    value = value_of(column)
    if column.logical_type == "timestamp" and column.unit:
        return F.timestamp_micros(_micros(column, value))
    if column.logical_type == "timestamp":
        return F.when(value.rlike(_WRITTEN["timestamp"]), F.try_to_timestamp(value))
    if column.logical_type == "date":
        return F.when(value.rlike(_WRITTEN["date"]), value.try_cast("date"))
    return value


def _micros(column: ContractColumn, value: Column) -> Column:
    return F.try_multiply(value, F.lit(_MICROSECONDS[column.unit or "us"]))
