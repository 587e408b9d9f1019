"""log_errors: the error rate of each service by the minute, and the error messages that were most frequent."""

from streaming.speed import SpeedLayer
from streaming.transforms.logs import counted_logs, error_rates

LOG_ERRORS = SpeedLayer(
    name="log_errors",
    contracts=("app_logs",),
    transform=counted_logs,
    completed=error_rates,
    columns=(
        "service string, window_start timestamp, window_end timestamp, "
        "count_logs bigint, count_errors bigint, error_rate double, "
        "top_messages array<struct<fingerprint: string, message: string, count_errors: bigint>>"
    ),
    key=("service", "window_start"),
    event_time="window_start",
    watermark_minutes=(10,),
    longest_window_minutes=1,
)
