"""sensor_anomalies: each minute of a sensor beside those before it; silence_…: what sends nothing for too long."""

from collections.abc import Mapping
from math import ceil

from streaming.speed import SpeedLayer
from streaming.transforms import sensors
from tidemark.contracts import Contract, Silence

SENSOR_ANOMALIES = SpeedLayer(
    name="sensor_anomalies",
    contracts=("sensor_readings",),
    transform=sensors.sensor_minutes,
    columns=(
        "sensor_id string, metric string, window_start timestamp, window_end timestamp, count_readings int, "
        "count_baseline bigint, baseline_mean double, baseline_deviation double, count_anomalies int, "
        "anomalies array<struct<event_time: timestamp, reading_id: string, reading: double>>"
    ),
    key=("sensor_id", "metric", "window_start"),
    event_time="window_start",
    watermark_minutes=(5,),
    longest_window_minutes=sensors.LONGEST_WINDOW_MINUTES,
    topic="sensor_anomalies",
    gap_minutes=sensors.BASELINE_MINUTES,
)


def silences(contracts: Mapping[str, Contract]) -> list[SpeedLayer]:
    """Give a layer for each contract that says which silence is too long."""
    return [_silence(contract, contract.silence) for contract in contracts.values() if contract.silence]


def _silence(contract: Contract, silence: Silence) -> SpeedLayer:
    name = f"silence_{contract.id}"
    return SpeedLayer(
        name=name,
        contracts=(contract.id,),
        transform=sensors.silences_of(contract, silence),
        columns=f"{silence.column} string, silent_from timestamp, noticed_at timestamp",
        key=(silence.column, "silent_from"),
        event_time="silent_from",
        watermark_minutes=(5,),
        longest_window_minutes=ceil(silence.within_seconds / 60),
        output_mode="append",
        topic=name,
    )
