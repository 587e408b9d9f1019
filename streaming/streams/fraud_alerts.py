"""fraud_alerts: payments that come too fast or from too far away, to Delta and to Kafka."""

from streaming.speed import SpeedLayer
from streaming.transforms import fraud

FRAUD_ALERTS = SpeedLayer(
    name="fraud_alerts",
    contracts=("card_payments",),
    transform=fraud.fraud_alerts,
    columns=(
        "payment_id string, rule string, card_id string, customer_id string, event_time timestamp, country string, "
        "count_payments int, from_country string, speed_kmh bigint"
    ),
    key=("payment_id", "rule"),
    event_time="event_time",
    watermark_minutes=(10,),
    longest_window_minutes=fraud.LONGEST_WINDOW_MINUTES,
    topic="fraud_alerts",
    gap_minutes=fraud.LOOK_BACK_MINUTES,
    ahead_minutes=0,  # it looks back only, in windows one of which ends with the day
)
