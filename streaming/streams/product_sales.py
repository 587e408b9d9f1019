"""product_sales: what each product sold, in event-time windows of five minutes; the newest of each is in Redis too."""

from streaming.speed import SpeedLayer
from streaming.transforms.windows import summed_sales
from tidemark import redis_hashes

PRODUCT_SALES = SpeedLayer(
    name="product_sales",
    contracts=("sales_events",),
    transform=summed_sales,
    columns=(
        "product_id string, window_start timestamp, window_end timestamp, "
        "quantity bigint, revenue double, unique_customers bigint"
    ),
    key=("product_id", "window_start"),
    event_time="window_start",
    watermark_minutes=(10,),
    longest_window_minutes=5,
    hashes=redis_hashes.PRODUCT_SALES,
)
