"""The lake's tables about itself: their schemas, and the one place that appends to them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from tidemark.errors import TidemarkError
from tidemark.settings import Settings

CERTIFICATES = "certificates"
TIDEMARKS = "tidemarks"
REPLAYS = "replays"
RECONCILIATIONS = "reconciliations"
RECONCILIATION_DIFFS = "reconciliation_diffs"
LEDGER = "ledger"
MAINTENANCE = "maintenance"
INCIDENTS = "incidents"
GATE_VERDICTS = "gate_verdicts"
POISONED_OFFSETS = "poisoned_offsets"
MODEL_BUILDS = "model_builds"

_INSTANT = pa.timestamp("us", "UTC")
_TRIES = 5
_WHEN = ("before", "after")
_PARTITIONED_BY = {LEDGER: ["contract"]}
_PROPERTIES = {"delta.checkpointInterval": "100", "delta.dataSkippingNumIndexedCols": "8"}

SCHEMAS: Mapping[str, pa.Schema] = MappingProxyType(
    {
        # One row for each bucket of offsets that a proof found clean
        CERTIFICATES: pa.schema(
            [
                ("contract", pa.string()),
                ("topic_id", pa.string()),
                ("partition", pa.int32()),
                ("bucket", pa.int64()),
                ("start_offset", pa.int64()),
                ("end_offset", pa.int64()),
                ("certificate_id", pa.string()),
                ("proven_at", _INSTANT),
                ("topic", pa.string()),
                ("records", pa.int64()),
                ("hash", pa.int64()),  # the sum of the rows' hashes modulo 2**64, its bits read as a signed number
                ("table_version", pa.int64()),
            ]
        ),
        # One row for each partition and proof; all rows of a proof are one commit
        TIDEMARKS: pa.schema(
            [
                ("contract", pa.string()),
                ("certificate_id", pa.string()),
                ("written_at", _INSTANT),
                ("topic", pa.string()),
                ("topic_id", pa.string()),
                ("partition", pa.int32()),
                ("tidemark", pa.int64()),  # the first offset that is not accounted for
                ("table_version", pa.int64()),
                ("complete_through", _INSTANT),
                ("verdict", pa.string()),
            ]
        ),
        # One row for each day that was compared, of a contract or of a stream of the speed layer
        RECONCILIATIONS: pa.schema(
            [
                ("run_id", pa.string()),
                ("level", pa.string()),  # transport, source or recompute
                ("subject", pa.string()),
                ("day", pa.date32()),
                ("at", _INSTANT),
                ("outcome", pa.string()),
                ("compared", pa.int64()),
                ("missing", pa.int64()),
                ("extra", pa.int64()),
                ("different", pa.int64()),
                ("rejected", pa.int64()),  # of an export
                ("repaired", pa.int64()),
                ("table_version", pa.int64()),
                ("seconds", pa.float64()),
                ("reason", pa.string()),
            ]
        ),
        # One row for each row that was not as it should be
        RECONCILIATION_DIFFS: pa.schema(
            [
                ("run_id", pa.string()),
                ("level", pa.string()),
                ("subject", pa.string()),
                ("day", pa.date32()),
                ("kind", pa.string()),
                ("key", pa.string()),  # as JSON
                ("columns", pa.string()),  # as JSON: what is there and what should be, of each that differs
                ("position", pa.string()),  # <topic>/<partition>@<start>-<end>
            ]
        ),
        # One row for each day of ingest and replay
        REPLAYS: pa.schema(
            [
                ("replay_id", pa.string()),
                ("contract", pa.string()),
                ("replayed_at", _INSTANT),
                ("ingest_date", pa.date32()),
                ("reason", pa.string()),  # what was asked for; empty: all
                ("contract_version", pa.string()),
                ("table_version", pa.int64()),  # after it
                ("rows", pa.int64()),
                ("released", pa.int64()),
                ("otherwise", pa.int64()),  # still held back, for other reasons
            ]
        ),
        # One row for each commit of a bronze table that upkeep has copied from its log
        LEDGER: pa.schema(
            [
                ("contract", pa.string()),
                ("table_id", pa.string()),  # Delta's own: a table made anew has another, and counts from 0 again
                ("version", pa.int64()),
                ("operation", pa.string()),
                ("committed_at", _INSTANT),
                ("rows", pa.int64()),
                ("changes_data", pa.bool_()),
                ("label", pa.string()),
            ]
        ),
        # One row for each run of upkeep that did something, or failed
        MAINTENANCE: pa.schema(
            [
                ("contract", pa.string()),
                ("run_id", pa.string()),
                ("started_at", _INSTANT),
                ("took_ms", pa.int64()),
                ("done", pa.string()),  # the steps, as JSON: what each has done
                ("outcome", pa.string()),  # ok, failed, or not_neutral: a compaction changed content
                ("message", pa.string()),
                *((f"{what}_{when}", pa.int64()) for what in ("version", "files", "bytes", "rows") for when in _WHEN),
            ]
        ),
        # One row for each incident; it is written again when it is mended and when it is over
        INCIDENTS: pa.schema(
            [
                ("incident_id", pa.string()),
                ("kind", pa.string()),
                ("stream", pa.string()),
                ("since", _INSTANT),
                ("what", pa.string()),
                ("runbook", pa.string()),
                ("opened_at", _INSTANT),
                ("mended_at", _INSTANT),
                ("closed_at", _INSTANT),
            ]
        ),
        # One row for each record that no stream could evaluate
        POISONED_OFFSETS: pa.schema(
            [
                ("contract", pa.string()),
                ("stream", pa.string()),
                ("topic", pa.string()),
                ("topic_id", pa.string()),
                ("partition", pa.int32()),
                ("offset", pa.int64()),
                ("found_at", _INSTANT),
                ("kind", pa.string()),  # the class of the error
                ("message", pa.string()),
                ("trace", pa.string()),
            ]
        ),
        # One row for each run of a gate that came to a verdict
        GATE_VERDICTS: pa.schema(
            [
                ("table", pa.string()),  # <layer>.<table>
                ("at", _INSTANT),
                ("verdict", pa.string()),  # pass, warn or fail
                ("version", pa.int64()),
                ("committed_at", _INSTANT),  # of that version: freshness is judged by it
                ("rows", pa.int64()),  # that were judged
                ("contract_version", pa.string()),  # null: of no contract alone
                ("suite", pa.string()),  # a fingerprint of all that is declared
                ("window", pa.string()),  # as JSON: how far the rows are settled that were judged
                ("seconds", pa.float64()),
                ("checks", pa.string()),  # as JSON: each with its severity, what was observed and its verdict
            ]
        ),
        # One row for each table that dbt has built where it leaves out what has no news
        MODEL_BUILDS: pa.schema(
            [
                ("table", pa.string()),  # <layer>.<model>
                ("built_at", _INSTANT),
                ("version", pa.int64()),  # of the table, after it
                ("fingerprint", pa.string()),  # of the model's SQL, macros, settings and columns
                ("inputs", pa.string()),  # as JSON: how each table that it reads stood before it
                ("why", pa.string()),
            ]
        ),
    }
)


def append(settings: Settings, name: str, rows: list[dict[str, Any]]) -> None:
    """Append rows to an ops table in one commit; create it where there is none.

    Raises:
        TidemarkError: the table can't be written.
    """
    table = pa.Table.from_pylist(rows, schema=SCHEMAS[name])
    path, partition_by = settings.table("ops", name), _PARTITIONED_BY.get(name)
    for left in reversed(range(_TRIES)):
        try:
            write_deltalake(path, table, mode="append", configuration=_PROPERTIES, partition_by=partition_by)
            return
        except DeltaError as error:
            # Two that create the table at once: one of them finds it there, and appends the next time
            if not left:
                raise TidemarkError(f"{path}: can't be written: {error}") from None


def opened(settings: Settings, name: str) -> ds.Dataset | None:
    """Open the newest version of an ops table; None where there is none yet."""
    path = settings.table("ops", name)
    try:
        # Arrow's own file system: threads that read through Python's may abort the process when it ends
        return DeltaTable(path).to_pyarrow_dataset(filesystem=fs.SubTreeFileSystem(path, fs.LocalFileSystem()))
    except TableNotFoundError:
        return None
