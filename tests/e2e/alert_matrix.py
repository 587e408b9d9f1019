"""The alert matrix: for each alert a fault that fires it. Faults of a group disturb each other in nothing."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from tests.e2e import lake_faults as lake
from tests.e2e import stream_faults as streams
from tests.e2e.watched import Watched


@dataclass(frozen=True)
class Expected:
    """An alert that a fault fires, with the labels that say where."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    is_quiet: bool = False  # another alert of the same fault says it all
    ends: bool = True  # within minutes, when the fault is mended; else it tells of an hour


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, and what is said of it."""

    what: str
    made: Callable[[Watched], AbstractContextManager[None]]
    alerts: tuple[Expected, ...]


_FRAGILE, _HELD, _RECREATED = ({"stream": f"bronze_{name}_rides"} for name in ("fragile", "held", "recreated"))

GROUPS: Mapping[str, tuple[Fault, ...]] = {
    "what is sent": (
        Fault(
            "a topic is deleted and created again",
            streams.topic_made_anew,
            # The watch tells of poisoned records for a day.
            (Expected("StreamRefused", _RECREATED), Expected("DagFailed", {"dag": "watch_streams"}, ends=False)),
        ),
        Fault(
            "records break the driver",
            streams.poisoned,
            (
                Expected("PoisonedOffsets", _FRAGILE, ends=False),
                Expected("FailedBatches", _FRAGILE, ends=False),
                Expected("RestartsAnHour", _FRAGILE, ends=False),
            ),
        ),
        Fault(
            "a producer writes with a schema of its own",
            streams.stranger_writes,
            (Expected("SchemaRefusals", {"contract": "card_payments", "reason": "type"}, ends=False),),
        ),
        Fault(
            "many records break their contract",
            streams.bad_records,
            (Expected("QuarantineShare", {"contract": "ride_events"}),),
        ),
        Fault(
            "a job rewrites a table again and again",
            streams.rewritten_again_and_again,
            (Expected("BatchSlowerThanTrigger", _HELD),),
        ),
    ),
    "what is kept": (
        Fault(
            "a row is written twice",
            lake.row_doubled,
            (
                Expected("TidemarkStalled"),
                Expected("ReconcileDiffers", {"contract": "doubled_rides"}),
                Expected("GateFailed", {"table": "bronze.doubled_rides"}),
            ),
        ),
        Fault(
            "a topic keeps too little", lake.short_retention, (Expected("SourceExpiring", {"contract": "held_rides"}),)
        ),
        Fault("upkeep does not run", lake.crowded_table, (Expected("SmallFiles", {"table": "speed.crowded"}),)),
        Fault("a checkpoint is moved", streams.checkpoint_moved, (Expected("MissingCheckpoint", _RECREATED),)),
        Fault("clocks stand still", streams.standing_clock, (Expected("WatermarkStalled", {"stream": "ride_counts"}),)),
        Fault("the disk is full", lake.disk_filled, (Expected("DiskFull"),)),
        Fault("Redis hangs", lake.hangs("redis"), (Expected("ServiceDown", {"service": "redis"}),)),
    ),
    "the streams hang": (
        Fault(
            "the streams' Java hangs",
            lake.streams_hang,
            (
                Expected("StreamsMetricsGone", is_quiet=True),
                Expected("ServiceDown", {"service": "streams"}),
                Expected("LagGrowing", {"stream": "bronze_ride_events"}, is_quiet=True),
            ),
        ),
        Fault("a program takes all memory", lake.memory_taken, (Expected("MemoryLow"),)),
    ),
    "Kafka hangs": (
        Fault(
            "Kafka hangs, and somebody restarts a stream",
            streams.kafka_hangs,
            (
                Expected("ServiceDown", {"service": "kafka"}),
                Expected("NoProgress", {"stream": "ride_counts"}, is_quiet=True),
                Expected("LookOld", {"source": "kafka"}, is_quiet=True),
                Expected("StreamStopped", _HELD),
            ),
        ),
    ),
    "what streams keep, and what nobody tells": (
        Fault("rides do not end", streams.rides_without_end, (Expected("StateGrowth", {"stream": "payment_rides"}),)),
        Fault("the exporter hangs", lake.hangs("metrics"), (Expected("ExporterGone"),)),
    ),
}


def expected() -> Iterator[Expected]:
    """Give every alert of the matrix."""
    for faults in GROUPS.values():
        for fault in faults:
            yield from fault.alerts
