"""ride_counts: ride events by type, in event-time windows of one minute that slide by 30 seconds."""

from streaming.speed import SpeedLayer
from streaming.transforms.windows import counted_rides

RIDE_COUNTS = SpeedLayer(
    name="ride_counts",
    contracts=("ride_events",),
    transform=counted_rides,
    columns="event_type string, window_start timestamp, window_end timestamp, count_events bigint",
    key=("event_type", "window_start"),
    event_time="window_start",
    watermark_minutes=(10,),
    longest_window_minutes=1,
    topic="ride_event_counts",
)
