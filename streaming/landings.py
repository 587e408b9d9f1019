"""What bronze's commits landed, as metrics: counted after each commit, from the commit itself and one column."""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from streaming import metrics
from tidemark.bronze import ERRORS
from tidemark.ledger import Commit, Ledger

log = logging.getLogger(__name__)


def count_landed(contract: str, ledger: Ledger, commit: Commit) -> None:
    """Count a commit and its rows; that they can't be counted is no reason to fail the micro-batch."""
    metrics.COMMITS.labels(contract).inc()
    metrics.LANDED_ROWS.labels(contract).inc(commit.rows or 0)
    if commit.was_tried_again:
        metrics.COMMIT_RETRIES.labels(contract).inc()
    try:
        for reason, rows in first_reasons(ledger, commit.version).items():
            metrics.QUARANTINED_ROWS.labels(contract, reason).inc(rows)
    except (OSError, pa.ArrowException) as error:
        log.warning("%s: what version %d holds back is not counted: %s", contract, commit.version, error)


def first_reasons(ledger: Ledger, version: int) -> Counter[str]:
    """Count the quarantined rows of a commit by the code of their first reason."""
    found = Counter[str]()
    for path in _files(ledger, version):
        errors = pq.ParquetFile(path).read(columns=[ERRORS]).column(ERRORS)
        bad = errors.filter(pc.greater(pc.list_value_length(errors), 0))
        for each in pc.value_counts(pc.list_element(bad, 0)).to_pylist():
            found[each["values"].partition(":")[0]] += each["counts"]
    return found


def _files(ledger: Ledger, version: int) -> Iterator[Path]:
    return (Path(ledger.table, each["add"]["path"]) for each in ledger.actions(version) if "add" in each)
