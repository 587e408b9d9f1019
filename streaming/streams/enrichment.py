"""payments_enriched: payments with the customer as of now; payment_rides: payments with the ride that was paid."""

from streaming.speed import SpeedLayer
from streaming.transforms import enrichment

_PAYMENT = (
    "payment_id string, event_time timestamp, card_id string, customer_id string, amount double, currency string, "
    "country string, merchant string"
)

PAYMENTS_ENRICHED = SpeedLayer(
    name="payments_enriched",
    contracts=("card_payments",),
    tables=("customers",),
    transform=enrichment.with_customers,
    columns=(
        f"{_PAYMENT}, customer_segment string, customer_country string, customer_changed_at timestamp, "
        "is_abroad boolean"
    ),
    key=("payment_id",),
    event_time="event_time",
    watermark_minutes=(10,),
    longest_window_minutes=0,
    output_mode="append",
    is_recomputed=False,
)

PAYMENT_RIDES = SpeedLayer(
    name="payment_rides",
    contracts=("card_payments", "ride_events"),
    transform=enrichment.with_rides,
    columns=(
        f"{_PAYMENT}, ride_event_id string, ride_at timestamp, ride_user_id string, ride_amount double, "
        "is_matched boolean"
    ),
    key=("payment_id",),
    event_time="event_time",
    watermark_minutes=(10, 10),
    longest_window_minutes=2 * enrichment.RIDE_WITHIN_MINUTES,
    output_mode="append",
    gap_minutes=enrichment.RIDE_WITHIN_MINUTES,
)
