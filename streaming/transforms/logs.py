"""Log lines become error rates by service and minute, and the messages that stand out."""

from collections import defaultdict
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from streaming.transforms.fingerprints import fingerprint, without_values

TOP = 5  # messages that a row names

_SHOWN = 500  # characters of a message; its fingerprint is of the whole
_ERRORS = ("ERROR", "FATAL")
_MINUTE, _MESSAGE = ["service", "window_start"], ["fingerprint", "message"]
_SAID = [*_MINUTE, *_MESSAGE, "count_errors"]
_AT_ONCE = 10_000  # rows that are Python's at a time


def counted_logs(logs: DataFrame) -> DataFrame:
    """Count each service's lines and errors by the minute: in a row for all of them, and in one for each error message.

    The first has neither fingerprint nor message. An error message is what is left of it `without_values`, its
    fingerprint the XXH64 of that in hex. A line that was sent twice counts twice. The state of a minute is one row for
    each message, of which it has 500 characters at most.
    """
    is_error = F.col("level").isin(*_ERRORS)
    said = F.when(is_error, without_values(F.col("message")))
    lines = logs.select("service", "event_time", is_error.alias("is_error"), said.alias("said"))
    message = F.struct(fingerprint(F.col("said")).alias("fingerprint"), F.left("said", F.lit(_SHOWN)).alias("message"))
    counted_as = F.explode(F.when(F.col("is_error"), F.array(F.lit(None), message)).otherwise(F.array(F.lit(None))))
    rows = lines.select("service", "event_time", "is_error", counted_as.alias("said"))
    by = [F.window("event_time", "1 minute"), F.col("service"), F.col("said.fingerprint"), F.col("said.message")]
    counts = rows.groupBy(*by).agg(F.count("*").alias("count_logs"), F.count_if("is_error").alias("count_errors"))
    return counts.select(
        F.col("service"),
        F.col("window.start").alias("window_start"),
        F.col("window.end").alias("window_end"),
        F.col("fingerprint"),
        F.col("message"),
        F.col("count_logs"),
        F.col("count_errors"),
    )


def error_rates(counts: pa.Table, before: pa.Table) -> pa.Table:
    """Make one row of a service's minute: its error rate, and the TOP messages by count, then by fingerprint.

    A count only grows: a message that is neither among the top before nor counted anew is not among the top now. So
    the result is exact, although a row keeps no more than TOP messages.

    Args:
        counts: of `counted_logs` what has changed: services' minutes, each with those of its messages that have.
        before: rows that this made before, of these minutes and perhaps of others.
    """
    is_message = pc.is_valid(counts["fingerprint"])
    minutes = counts.filter(pc.invert(is_message))
    top = _top(pa.concat_tables([counts.filter(is_message).select(_SAID), _said(before)], promote_options="default"))
    named = [top.get(minute, []) for minute in zip(*(minutes[name].to_pylist() for name in _MINUTE), strict=True)]
    rate = pc.divide(minutes["count_errors"].cast("double"), minutes["count_logs"].cast("double"))
    made = minutes.append_column("error_rate", rate)
    return made.append_column("top_messages", pa.array(named, before["top_messages"].type)).select(before.column_names)


def _said(rates: pa.Table) -> pa.Table:
    """Give each of the top messages a row of its own."""
    messages = rates["top_messages"].combine_chunks()
    said = pa.Table.from_struct_array(pc.list_flatten(messages))
    minutes = rates.select(_MINUTE).take(pc.list_parent_indices(messages))
    for name in _MINUTE:
        said = said.append_column(name, minutes[name])
    return said.select(_SAID)


def _top(said: pa.Table) -> dict[tuple[str, datetime], list[dict[str, Any]]]:
    """Give each minute's TOP messages in order."""
    newest = said.group_by(_MINUTE + _MESSAGE).aggregate([("count_errors", "max")])
    newest = newest.rename_columns([*_MINUTE, *_MESSAGE, "count_errors"])
    newest = newest.sort_by([("count_errors", "descending"), ("fingerprint", "ascending")])
    top: defaultdict[tuple[str, datetime], list[dict[str, Any]]] = defaultdict(list)
    for some in newest.to_batches(_AT_ONCE):
        for message in some.to_pylist():
            best = top[message.pop("service"), message.pop("window_start")]
            if len(best) < TOP:
                best.append(message)
    return top
