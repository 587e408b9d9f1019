"""sessions: the page views of each visitor between pauses of half an hour, each written once, when it is closed."""

from streaming.speed import SpeedLayer
from streaming.transforms.sessions import GAP_MINUTES, sessions_of

SESSIONS = SpeedLayer(
    name="sessions",
    contracts=("page_views",),
    transform=sessions_of,
    columns=(
        "session_id string, visitor_id string, window_start timestamp, window_end timestamp, last_view_at timestamp, "
        "count_pages bigint, entry_page string, exit_page string, duration_seconds double, is_bounce boolean"
    ),
    key=("visitor_id", "window_start"),
    event_time="window_start",
    watermark_minutes=(10,),
    longest_window_minutes=240,
    gap_minutes=GAP_MINUTES,
    output_mode="append",
)
