"""The bronze table: names of its own columns, and the reasons for which a row is quarantined."""

TOPIC = "_topic"
PARTITION = "_partition"
OFFSET = "_offset"
KAFKA_TIME = "_kafka_time"
KEY = "_key"
VALUE = "_value"
HEADERS = "_headers"
SCHEMA_ID = "_schema_id"
CONTRACT_VERSION = "_contract_version"
ERRORS = "_errors"
INGESTED_AT = "_ingested_at"
JUDGED_AT = "_judged_at"
INGEST_DATE = "_ingest_date"

EXPORT = "export:"  # begins the topic of rows that came from an export's file, not from Kafka

POSITION = (TOPIC, PARTITION, OFFSET)
ENVELOPE = (
    *POSITION,
    *(KAFKA_TIME, KEY, VALUE, HEADERS, SCHEMA_ID, CONTRACT_VERSION, ERRORS, INGESTED_AT, JUDGED_AT, INGEST_DATE),
)

# Whole-record reasons. The others are `<reason>:<column>`.
TOMBSTONE = "tombstone"  # the record has no value
EMPTY = "empty"  # the value is empty or blank
ENCODING = "encoding"  # the value, or with a column its source, is not UTF-8
MALFORMED = "malformed"  # the value is not one JSON document, or no Avro body of its writer's schema
NOT_OBJECT = "not_object"  # the value is JSON, but an array or a scalar; or Avro, but no record
MAGIC = "magic"  # the value does not begin as the Confluent wire format does
UNKNOWN_SCHEMA = "unknown_schema"  # the registry does not know the schema's id
DEPTH = "depth"  # nested deeper than MAX_DEPTH

POISONED = "poisoned"  # evaluating the record raises: `poisoned:<the class of the error>`; nothing of it is read

MISSING = "missing"  # a required column is absent
NULL = "null"  # a required column is null
TYPE = "type"  # another type than the contract's
RANGE = "range"  # below minimum, above maximum, or no finite number or representable time
LENGTH = "length"  # longer than maxLength
PATTERN = "pattern"  # does not match pattern
ENUM = "enum"  # not one of enum
FUTURE = "future"  # an event time further ahead than the limit
DUPLICATE = "duplicate"  # rows of an export with one key that do not say the same
OTHER_DAY = "other_day"  # an export's row of another day than it is filed under

# What only the whole export can tell: a row that is judged again keeps these.
OF_EXPORT = (DUPLICATE, OTHER_DAY)

MAX_DEPTH = 100
