"""Names and identifiers: the one regular expression, and the one function that quotes."""

import re

NAME = r"[a-z][a-z0-9_]{0,62}"
TOPIC = rf"{NAME}(?:[.-]{NAME})*"

_TOPIC_LIMIT = 249  # Kafka's own limit: the folder of a partition must fit a file name


def is_name(text: str) -> bool:
    """Tell whether `text` may name a contract, a table, a column or a stream."""
    return re.fullmatch(NAME, text) is not None


def is_topic(text: str) -> bool:
    """Tell whether `text` may name a Kafka topic: names joined by dots or dashes."""
    return len(text) <= _TOPIC_LIMIT and re.fullmatch(TOPIC, text) is not None


def quoted(*parts: str) -> str:
    """Quote the parts of a SQL identifier and join them by dots; a backtick inside is doubled."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


def quoted_ansi(name: str) -> str:
    """Quote a SQL identifier for engines that keep to the standard; a double quote inside is doubled."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
