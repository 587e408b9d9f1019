"""The metrics that the streams' process keeps; docs/metrics.md says what each is for.

A label has few values, and none of them comes from a record.
"""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# A second series for each counter, for what its own reset says too.
disable_created_metrics()  # type: ignore[no-untyped-call]

_STREAM = ("stream",)
_CONTRACT = ("contract",)
_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

BATCHES = Counter("tidemark_stream_batches", "Finished micro-batches with rows.", _STREAM)
INPUT_ROWS = Counter("tidemark_stream_input_rows", "Records read, by their offsets.", _STREAM)
LATE_ROWS = Counter("tidemark_stream_late_rows", "Rows of state dropped by the watermark.", _STREAM)
BATCH_SECONDS = Histogram(
    "tidemark_stream_batch_seconds", "A micro-batch from trigger to commit.", _STREAM, buckets=_SECONDS
)

INPUT_RATE = Gauge("tidemark_stream_input_rows_per_second", "Of the newest micro-batch.", _STREAM)
PROCESSED_RATE = Gauge("tidemark_stream_processed_rows_per_second", "Of the newest micro-batch.", _STREAM)
PHASE_SECONDS = Gauge(
    "tidemark_stream_phase_seconds", "The newest micro-batch's parts, by Spark's names.", ("stream", "phase")
)
WATERMARK = Gauge("tidemark_stream_watermark_timestamp_seconds", "Event time.", _STREAM)
LAST_PROGRESS = Gauge(
    "tidemark_stream_last_progress_timestamp_seconds",
    "When the newest micro-batch, or look for one, was done.",
    _STREAM,
)
STATE_ROWS = Gauge("tidemark_stream_state_rows", "Rows of state.", _STREAM)
STATE_BYTES = Gauge("tidemark_stream_state_bytes", "State in memory and in its store's files.", _STREAM)

COMMITS = Counter("tidemark_commits", "Commits of bronze.", _CONTRACT)
COMMIT_RETRIES = Counter("tidemark_commit_retries", "Commits that lost a race and were tried again.", _CONTRACT)
LANDED_ROWS = Counter("tidemark_landed_rows", "Rows of bronze.", _CONTRACT)
QUARANTINED_ROWS = Counter(
    "tidemark_quarantined_rows",
    "Rows of bronze that are held back, by the code of their first reason.",
    ("contract", "reason"),
)


def begin_stream(stream: str) -> None:
    """Begin every counter of a stream at zero: an alert on its growth needs the zero first."""
    for counter in (BATCHES, INPUT_ROWS, LATE_ROWS, BATCH_SECONDS):
        counter.labels(stream)


def begin_contract(contract: str) -> None:
    """Begin every counter of a contract at zero; a reason's begins with its first row."""
    for counter in (COMMITS, COMMIT_RETRIES, LANDED_ROWS):
        counter.labels(contract)
