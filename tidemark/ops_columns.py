"""What the ops tables and their columns mean, in SQL's types: dbt's sources say it to those who read them there."""

from collections.abc import Mapping

Columns = Mapping[str, tuple[str, str]]  # name: type, description

CERTIFICATES: Columns = {
    "contract": ("string", "The contract's id."),
    "topic_id": ("string", "The topic's own id: a topic made anew has another."),
    "partition": ("int", "Partition of the topic."),
    "bucket": ("bigint", "Number of the bucket of offsets."),
    "start_offset": ("bigint", "The first offset that the certificate is about."),
    "end_offset": ("bigint", "The first offset after it."),
    "certificate_id": ("string", "The proof that it comes from."),
    "proven_at": ("timestamp", "When that was."),
    "topic": ("string", "The topic's name."),
    "records": ("bigint", "How many records there are in the bucket."),
    "hash": ("bigint", "The sum of the records' hashes, which doesn't depend on their order."),
    "table_version": ("bigint", "The Delta version of the bronze table that was proven."),
}

TIDEMARKS: Columns = {
    "contract": ("string", "The contract's id."),
    "certificate_id": ("string", "The proof; its certificates are in ops.certificates."),
    "written_at": ("timestamp", "When the proof was written; all its rows have the same."),
    "topic": ("string", "The topic's name."),
    "topic_id": ("string", "The topic's own id: a topic made anew has another."),
    "partition": ("int", "Partition of the topic."),
    "tidemark": ("bigint", "The first offset that is not accounted for."),
    "table_version": ("bigint", "The Delta version of the bronze table that was proven."),
    "complete_through": ("timestamp", "The time up to which the partition is complete; null: not known."),
    "verdict": ("string", "What the proof found: proven, broken or unknown."),
}

LEDGER: Columns = {
    "contract": ("string", "The contract's id."),
    "table_id": ("string", "Delta's own id of the bronze table: one made anew has another, and counts from 0 again."),
    "version": ("bigint", "The Delta version."),
    "operation": ("string", "What Delta calls the commit: WRITE, DELETE, OPTIMIZE, ..."),
    "committed_at": ("timestamp", "When it was committed."),
    "rows": ("bigint", "The rows that it wrote, where Delta counts them."),
    "changes_data": ("boolean", "Whether it changed data."),
    "label": ("string", "What the commit says of itself, as JSON; null: nothing that Tidemark knows."),
}

MAINTENANCE: Columns = {
    "contract": ("string", "The contract's id."),
    "run_id": ("string", "The run."),
    "started_at": ("timestamp", "When it began."),
    "took_ms": ("bigint", "How long it took, milliseconds."),
    "done": ("string", "The steps that did something, and what they did, as JSON."),
    "outcome": ("string", "ok, failed, or not_neutral: a compaction changed what the table holds."),
    "message": ("string", "Why it did not end well."),
    **{
        f"{what}_{when}": ("bigint", f"{means} {when} it.")
        for what, means in (
            ("version", "The table's Delta version"),
            ("files", "Its files"),
            ("bytes", "Their bytes"),
            ("rows", "Its rows"),
        )
        for when in ("before", "after")
    },
}

REPLAYS: Columns = {
    "replay_id": ("string", "The run."),
    "contract": ("string", "The contract's id."),
    "replayed_at": ("timestamp", "When it was done."),
    "ingest_date": ("date", "The day of ingest whose rows were judged again."),
    "reason": ("string", "The reason that was asked for; empty: all."),
    "contract_version": ("string", "The contract's version that they were judged by."),
    "table_version": ("bigint", "The table's Delta version after it."),
    "rows": ("bigint", "Rows that were judged."),
    "released": ("bigint", "Rows that passed."),
    "otherwise": ("bigint", "Rows that are still held back, for other reasons."),
}

RECONCILIATIONS: Columns = {
    "run_id": ("string", "The run; its differences are in ops.reconciliation_diffs."),
    "level": ("string", "transport (Kafka), source (an export or archive) or recompute (the speed layer)."),
    "subject": ("string", "The contract, or the stream of the speed layer."),
    "day": ("date", "The day that was compared, UTC."),
    "at": ("timestamp", "When."),
    "outcome": ("string", "done, left (to repair), refused (needs approval), open (not over), skipped or failed."),
    "compared": ("bigint", "Rows that bronze, or the stream's table, had."),
    "missing": ("bigint", "Rows that it lacked."),
    "extra": ("bigint", "Rows that only it had."),
    "different": ("bigint", "Rows that said something else."),
    "rejected": ("bigint", "Rows of an export that went to the quarantine."),
    "repaired": ("bigint", "Rows that were put right."),
    "table_version": ("bigint", "The table's Delta version."),
    "seconds": ("double", "How long it took."),
    "reason": ("string", "Why the outcome is not done."),
}

RECONCILIATION_DIFFS: Columns = {
    "run_id": ("string", "The run, of ops.reconciliations."),
    "level": ("string", "As there."),
    "subject": ("string", "As there."),
    "day": ("date", "As there."),
    "kind": ("string", "missing, extra or different; of the transport level what prove calls it."),
    "key": ("string", "What names the row, as JSON; personal columns are masked."),
    "columns": ("string", "As JSON, for each column that differs: what was there and what should be."),
    "position": ("string", "The source positions, of the transport level."),
}

INCIDENTS: Columns = {
    "incident_id": ("string", "The incident."),
    "kind": ("string", "What is wrong: stuck, restarting, refused, stopped, poisoned, tidemark_stalled, ..."),
    "stream": ("string", "The stream, the contract of a stalled tidemark, or `streams` for the process of all."),
    "since": ("timestamp", "Since when it is so."),
    "what": ("string", "What was seen."),
    "runbook": ("string", "The page that says what to do."),
    "opened_at": ("timestamp", "The look that saw it first."),
    "mended_at": ("timestamp", "When the streams were restarted for it; null: they were not."),
    "closed_at": ("timestamp", "The look that did not see it any more; null: it is open."),
}

GATE_VERDICTS: Columns = {
    "table": ("string", "The table that was judged: layer and name."),
    "at": ("timestamp", "When."),
    "verdict": ("string", "pass, warn or fail."),
    "version": ("bigint", "The Delta version that was judged."),
    "committed_at": ("timestamp", "When that was committed; freshness is judged by it."),
    "rows": ("bigint", "The rows that were judged."),
    "contract_version": ("string", "The contract's version; null: the table is of no contract alone."),
    "suite": ("string", "A fingerprint of all that is declared: another suite has another."),
    "window": ("string", "As JSON: how far the rows are settled that were judged; {}: all of them."),
    "seconds": ("double", "How long it took."),
    "checks": ("string", "As JSON: each check with its severity, what was observed and its verdict."),
}

MODEL_BUILDS: Columns = {
    "table": ("string", "The table that was built: layer and model."),
    "built_at": ("timestamp", "When."),
    "version": ("bigint", "The table's Delta version after it."),
    "fingerprint": ("string", "Of the model's SQL, macros, settings and columns: another model has another."),
    "inputs": ("string", "As JSON: how each table that it reads stood before it."),
    "why": ("string", "Why it was built."),
}

POISONED_OFFSETS: Columns = {
    "contract": ("string", "The contract's id."),
    "stream": ("string", "The stream that found it."),
    "topic": ("string", "The topic's name."),
    "topic_id": ("string", "The topic's own id: a topic made anew has another."),
    "partition": ("int", "Partition of the topic."),
    "offset": ("bigint", "The offset; bronze has the record there, with the reason poisoned."),
    "found_at": ("timestamp", "When it was found."),
    "kind": ("string", "The class of the error that evaluating the record raises."),
    "message": ("string", "The error's first line; it may quote the record."),
    "trace": ("string", "The first hundred lines of its stack trace."),
}

_PROOF, _UPKEEP = "tidemark prove <contract>", "tidemark maintain <contract>"
_RECONCILE = "tidemark reconcile, backfill and recompute"

# name: made by, description, columns
TABLES: Mapping[str, tuple[str, str, Columns]] = {
    "certificates": (_PROOF, "One row per bucket of offsets that a proof found clean.", CERTIFICATES),
    "tidemarks": (_PROOF, "One row per partition and proof: how far everything is accounted for.", TIDEMARKS),
    "ledger": (_UPKEEP, "One row per commit of a bronze table: the ledger, kept longer than the log.", LEDGER),
    "maintenance": (_UPKEEP, "One row per run of upkeep that did something, or failed.", MAINTENANCE),
    "replays": ("tidemark replay <contract>", "One row per replay and day of ingest.", REPLAYS),
    "reconciliations": (_RECONCILE, "One row per day that was compared.", RECONCILIATIONS),
    "reconciliation_diffs": (_RECONCILE, "One row per row that was not as it should be.", RECONCILIATION_DIFFS),
    "incidents": (
        "tidemark watch",
        "One row per incident of a stream, a table's proof or the streams' process.",
        INCIDENTS,
    ),
    "gate_verdicts": ("tidemark gate <layer>.<table>", "One row per verdict on a table.", GATE_VERDICTS),
    "model_builds": ("tidemark dbt --changed build", "One row per table and build of what had news.", MODEL_BUILDS),
    "poisoned_offsets": (
        "the streams",
        "One row per record that could not be evaluated, and was quarantined unread.",
        POISONED_OFFSETS,
    ),
}
