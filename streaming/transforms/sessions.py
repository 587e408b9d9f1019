"""Sessions: the views of a visitor without a pause of more than half an hour."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

GAP_MINUTES = 30

_ID_CHARACTERS = 32


def sessions_of(views: DataFrame) -> DataFrame:
    """Gather the page views of each visitor into sessions, in event time.

    A session ends as Spark has it: GAP_MINUTES after its last view. A view that arrives again, with the same id and
    time, counts once; to know it again takes a state of ids for as long as the watermark allows. Entry and exit are the
    first and the last page by event time; of views at the same instant, by their id.
    """
    # It also drops what is late by the view's own time. A session alone drops what its window's end is late by: a view
    # would be taken for half an hour after its session was written, and be a session of its own in the midst of it.
    once = views.dropDuplicates(["view_id", "event_time"])
    order = F.struct("event_time", "view_id")
    sessions = once.groupBy(F.session_window("event_time", f"{GAP_MINUTES} minutes"), "visitor_id").agg(
        F.max("event_time").alias("last_view_at"),
        F.count("*").alias("count_pages"),
        F.min_by("page", order).alias("entry_page"),
        F.max_by("page", order).alias("exit_page"),
    )
    start = F.col("session_window.start")
    begun = F.concat_ws("|", "visitor_id", F.unix_micros(start).cast("string"))
    duration = F.unix_micros("last_view_at") - F.unix_micros(start)
    return sessions.select(
        F.left(F.sha2(begun, 256), F.lit(_ID_CHARACTERS)).alias("session_id"),
        F.col("visitor_id"),
        start.alias("window_start"),
        F.col("session_window.end").alias("window_end"),
        F.col("last_view_at"),
        F.col("count_pages"),
        F.col("entry_page"),
        F.col("exit_page"),
        (duration / 1_000_000).alias("duration_seconds"),
        (F.col("count_pages") == 1).alias("is_bounce"),
    )
