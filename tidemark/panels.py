"""The panels of operations: one list, of which Grafana's dashboard and Airflow's page *Operations* are made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Unit = Literal["number", "rows_per_second", "per_second", "seconds", "bytes", "share"]


@dataclass(frozen=True)
class Query:
    """An expression of PromQL, and what each of its series is called: labels stand in double braces."""

    expression: str
    legend: str

    def name_of(self, labels: Mapping[str, str]) -> str:
        """Name one series."""
        return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), self.legend).strip()


@dataclass(frozen=True)
class Panel:
    """A chart of lines over time."""

    section: str
    title: str
    unit: Unit
    queries: tuple[Query, ...]

    @property
    def key(self) -> str:
        """Its name in addresses."""
        return re.sub(r"\W+", "-", self.title.lower())


def _panel(section: str, title: str, unit: Unit, **queries: str) -> Panel:
    """Make a panel; a query is called as its series are, `by_<label>_<label>` meaning by these labels."""
    return Panel(section, title, unit, tuple(Query(text, _legend(name)) for name, text in queries.items()))


def _legend(name: str) -> str:
    if not name.startswith("by_"):
        return name.replace("_", " ")
    return " ".join(f"{{{{{label}}}}}" for label in name.removeprefix("by_").split("_"))


_RATE = "sum by (stream) (rate({}[5m]))"
_BATCH = "tidemark_stream_batch_seconds"

PANELS: tuple[Panel, ...] = (
    _panel(
        "At a glance",
        "What is wrong now",
        "number",
        gates_failed="sum(1 - tidemark_gate_passed)",
        DAGs_failed="sum(tidemark_dag_last_run_failed)",
        incidents_open="sum(tidemark_incidents_open)",
        services_down="sum(1 - tidemark_service_up)",
        rows_that_differ="sum(tidemark_reconcile_differences)",
        checkpoints_missing="sum(1 - tidemark_checkpoint_present)",
    ),
    _panel("At a glance", "Streams by state", "number", by_state="sum by (state) (tidemark_stream_state)"),
    _panel(
        "At a glance",
        "Not proven for",
        "seconds",
        by_contract="time() - max by (contract) (tidemark_complete_through_timestamp_seconds)",
    ),
    _panel(
        "At a glance",
        "Until Kafka may forget what is not proven",
        "seconds",
        by_contract="min by (contract) (tidemark_source_expires_timestamp_seconds) - time()",
    ),
    _panel(
        "At a glance",
        "Since the last reconcile",
        "seconds",
        by_contract="time() - max by (contract) (tidemark_reconcile_timestamp_seconds)",
    ),
    _panel(
        "At a glance",
        "Since the last gate",
        "seconds",
        by_table="time() - max by (table) (tidemark_gate_timestamp_seconds)",
    ),
    _panel(
        "Streams",
        "Records read",
        "rows_per_second",
        by_stream=_RATE.format("tidemark_stream_input_rows_total"),
    ),
    _panel(
        "Streams",
        "Offsets behind",
        "number",
        by_stream_topic="sum by (stream, topic) (tidemark_stream_behind_offsets)",
    ),
    _panel(
        "Streams",
        "Micro-batch, mean",
        "seconds",
        by_stream=f"{_RATE.format(_BATCH + '_sum')} / ({_RATE.format(_BATCH + '_count')} > 0)",
    ),
    _panel(
        "Streams",
        "Micro-batch, slowest of a hundred",
        "seconds",
        by_stream=f"histogram_quantile(0.99, sum by (stream, le) (rate({_BATCH}_bucket[5m])))",
    ),
    _panel(
        "Streams",
        "Parts of the newest micro-batch",
        "seconds",
        by_phase="avg by (phase) (tidemark_stream_phase_seconds)",
    ),
    _panel(
        "Streams",
        "Age of the watermark",
        "seconds",
        by_stream="time() - max by (stream) (tidemark_stream_watermark_timestamp_seconds > 0)",
    ),
    _panel(
        "Streams",
        "Since the last progress",
        "seconds",
        by_stream="time() - max by (stream) (tidemark_stream_last_progress_timestamp_seconds > 0)",
    ),
    _panel("Streams", "Rows of state", "number", by_stream="sum by (stream) (tidemark_stream_state_rows)"),
    _panel("Streams", "Bytes of state", "bytes", by_stream="sum by (stream) (tidemark_stream_state_bytes)"),
    _panel(
        "Streams",
        "Late rows dropped",
        "rows_per_second",
        by_stream=_RATE.format("tidemark_stream_late_rows_total"),
    ),
    _panel(
        "Streams",
        "Within the hour, all streams",
        "number",
        restarts="sum(increase(tidemark_stream_restarts_total[1h]))",
        failed_micro_batches="sum(increase(tidemark_stream_failed_batches_total[1h]))",
        poisoned_offsets="sum(increase(tidemark_stream_poisoned_offsets_total[1h]))",
        refused_schemas="sum(increase(tidemark_schema_refusals_total[1h]))",
    ),
    _panel(
        "Bronze",
        "Rows landed",
        "rows_per_second",
        by_contract="sum by (contract) (rate(tidemark_landed_rows_total[5m]))",
    ),
    _panel(
        "Bronze",
        "Held back, share",
        "share",
        by_contract="sum by (contract) (rate(tidemark_quarantined_rows_total[5m]))"
        " / (sum by (contract) (rate(tidemark_landed_rows_total[5m])) > 0)",
    ),
    _panel(
        "Bronze",
        "Quarantine",
        "rows_per_second",
        by_contract_reason="sum by (contract, reason) (rate(tidemark_quarantined_rows_total[5m]))",
    ),
    _panel(
        "Bronze",
        "Commits",
        "per_second",
        by_contract="sum by (contract) (rate(tidemark_commits_total[5m]))",
        tried_again="sum(rate(tidemark_commit_retries_total[5m]))",
    ),
    _panel("Tables", "Files, the ten with most", "number", by_table="topk(10, max by (table) (tidemark_table_files))"),
    _panel(
        "Tables",
        "Files of the most crowded partition",
        "number",
        by_table="topk(10, max by (table) (tidemark_table_partition_files))",
    ),
    _panel("Tables", "Size, the ten largest", "bytes", by_table="topk(10, max by (table) (tidemark_table_bytes))"),
    _panel("Tables", "Size of checkpoints", "bytes", by_stream="sum by (stream) (tidemark_checkpoint_bytes)"),
    _panel(
        "Machine",
        "Since the last run of a DAG",
        "seconds",
        by_dag="time() - max by (dag) (tidemark_dag_last_run_timestamp_seconds)",
    ),
    _panel("Machine", "Memory of services", "bytes", by_service="sum by (service) (tidemark_service_memory_bytes)"),
    _panel(
        "Machine",
        "Heap of the streams",
        "bytes",
        used="sum(tidemark_jvm_heap_used_bytes)",
        most="sum(tidemark_jvm_heap_max_bytes)",
    ),
    _panel("Machine", "Time in garbage collection", "share", streams="sum(rate(tidemark_jvm_gc_seconds_total[5m]))"),
    _panel(
        "Machine",
        "Free",
        "share",
        disk="min(tidemark_disk_free_bytes / tidemark_disk_size_bytes)",
        memory="min(tidemark_memory_available_bytes / tidemark_memory_size_bytes)",
    ),
    _panel(
        "Machine",
        "Age of what is shown here",
        "seconds",
        by_source="time() - max by (source) (tidemark_look_timestamp_seconds)",
    ),
)

BY_KEY: Mapping[str, Panel] = {panel.key: panel for panel in PANELS}
