"""What is read when Prometheus asks: the streams' states, and how the driver's JVM is."""

from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from streaming.host import StreamState

STATES = ("starting", "running", "waiting", "refused", "stopped")

_STREAM = ["stream"]


class AtScrape(Collector):
    """Collects what nobody counts as it happens."""

    def __init__(self, states: Sequence[StreamState], spark: SparkSession | None) -> None:
        self._states = states
        self._spark = spark

    def exposition(self) -> bytes:
        """Give all metrics of this process in Prometheus' text format."""
        own = CollectorRegistry()
        own.register(self)
        first = generate_latest(own)  # it brings the others up to date
        return first + generate_latest(REGISTRY)

    def collect(self) -> Iterator[Metric]:
        """Look at each stream, then at the JVM; one that is gone tells nothing."""
        try:
            for state in self._states:
                if state.query is not None:
                    state.listener.take(state.query)
            jvm = list(self._jvm())
        except Py4JError:
            jvm = []
        yield from self._streams()
        yield from jvm

    def _streams(self) -> Iterator[Metric]:
        states = GaugeMetricFamily("tidemark_stream_state", "1 for the state it is in.", labels=["stream", "state"])
        restarts = CounterMetricFamily("tidemark_stream_restarts", "Starts after a failure.", labels=_STREAM)
        failed = CounterMetricFamily(
            "tidemark_stream_failed_batches", "Queries that ended in an error.", labels=_STREAM
        )
        trigger = GaugeMetricFamily(
            "tidemark_stream_trigger_seconds", "Least time from one micro-batch to the next.", labels=_STREAM
        )
        for each in self._states:
            for state in STATES:
                states.add_metric([each.name, state], each.state == state)
            restarts.add_metric([each.name], each.restarts)
            failed.add_metric([each.name], each.failures)
            trigger.add_metric([each.name], each.stream.trigger_seconds)
        yield from (states, restarts, failed, trigger)

    def _jvm(self) -> Iterator[Metric]:
        if self._spark is None:
            return
        factory: Any = self._spark.sparkContext._jvm
        beans = factory.java.lang.management.ManagementFactory
        heap = beans.getMemoryMXBean().getHeapMemoryUsage()
        spent = sum(each.getCollectionTime() for each in beans.getGarbageCollectorMXBeans())
        yield GaugeMetricFamily("tidemark_jvm_heap_used_bytes", "Of the streams' driver.", heap.getUsed())
        yield GaugeMetricFamily("tidemark_jvm_heap_max_bytes", "Of the streams' driver.", heap.getMax())
        yield CounterMetricFamily("tidemark_jvm_gc_seconds", "Of the streams' driver.", spent / 1000)
