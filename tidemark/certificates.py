"""Certificates and tidemarks: what a proof leaves behind, and what others may build on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow.dataset as ds

from tidemark.compare import Voucher
from tidemark.findings import Bucket
from tidemark.ops_tables import CERTIFICATES, TIDEMARKS, append, opened
from tidemark.settings import Settings
from tidemark.spans import BUCKET, Span

_SIGN = 1 << 63  # sums of hashes are unsigned, Delta's integers are not


@dataclass(frozen=True)
class Origin:
    """The proof that a certificate or a tidemark comes from."""

    certificate_id: str
    contract: str
    topic: str
    topic_id: str
    table_version: int
    at: datetime


@dataclass(frozen=True)
class PartitionMark:
    """How far one partition is accounted for."""

    partition: int
    tidemark: int  # the first offset that is not
    complete_through: datetime | None


@dataclass(frozen=True)
class Tidemark:
    """How far the newest proof of a table reaches."""

    origin: Origin
    verdict: str  # proven, broken, unknown
    partitions: Sequence[PartitionMark]

    @property
    def complete_through(self) -> datetime | None:
        """The time up to which every partition is complete; None: not known of some partition."""
        return earliest(mark.complete_through for mark in self.partitions)


def earliest(times: Iterable[datetime | None]) -> datetime | None:
    """Give the earliest time; None where one isn't known, or where there is none."""
    known: list[datetime] = []
    for time in times:
        if time is None:
            return None
        known.append(time)
    return min(known, default=None)


def write_certificates(settings: Settings, origin: Origin, buckets: Iterable[Bucket]) -> None:
    """Certify that these buckets were clean."""
    rows = [
        {
            **_origin_columns(origin),
            "proven_at": origin.at,
            "partition": bucket.partition,
            "bucket": bucket.bucket,
            "start_offset": bucket.start,
            "end_offset": bucket.end,
            "records": bucket.records,
            "hash": _signed(bucket.sum_of_hashes),
        }
        for bucket in buckets
    ]
    if rows:
        append(settings, CERTIFICATES, rows)


def write_tidemark(settings: Settings, tidemark: Tidemark) -> None:
    """Write the tidemark of a table: one row a partition, in one commit."""
    origin = tidemark.origin
    rows = [
        {
            **_origin_columns(origin),
            "written_at": origin.at,
            "verdict": tidemark.verdict,
            "partition": mark.partition,
            "tidemark": mark.tidemark,
            "complete_through": mark.complete_through,
        }
        for mark in tidemark.partitions
    ]
    append(settings, TIDEMARKS, rows)


def latest_tidemark(settings: Settings, contract: str) -> Tidemark | None:
    """Give the newest tidemark of a contract's bronze table; None where it was never proven or refuted."""
    table = opened(settings, TIDEMARKS)
    rows = table.to_table(filter=ds.field("contract") == contract).to_pylist() if table else []
    if not rows:
        return None
    newest = max(rows, key=lambda row: (row["written_at"], row["certificate_id"]))
    of_newest = sorted(
        (row for row in rows if row["certificate_id"] == newest["certificate_id"]),
        key=lambda row: int(row["partition"]),
    )
    columns = ("certificate_id", "contract", "topic", "topic_id", "table_version", "written_at")
    marks = tuple(PartitionMark(row["partition"], row["tidemark"], row["complete_through"]) for row in of_newest)
    return Tidemark(Origin(*map(newest.get, columns)), newest["verdict"], marks)


class Certificates:
    """The certificates of one topic's bronze table, as they are when the first is asked for."""

    def __init__(self, settings: Settings, contract: str, topic_id: str) -> None:
        self._settings = settings
        self._own = (ds.field("contract") == contract) & (ds.field("topic_id") == topic_id)
        self._table: ds.Dataset | None = None

    def covering(self, span: Span) -> list[Voucher]:
        """Give the certificates of every bucket that overlaps a span; those that say the same are one."""
        self._table = self._table or opened(self._settings, CERTIFICATES)
        if self._table is None:
            return []
        buckets = (span.start // BUCKET, (span.end - 1) // BUCKET)
        wanted = self._own & (ds.field("partition") == span.partition)
        wanted &= (ds.field("bucket") >= buckets[0]) & (ds.field("bucket") <= buckets[1])
        columns = ["start_offset", "end_offset", "records", "hash"]
        rows = self._table.to_table(columns, filter=wanted).group_by(columns).aggregate([])
        return [_voucher(row) for row in rows.sort_by("end_offset").to_pylist()]


def covering_certificates(settings: Settings, contract: str, topic_id: str, span: Span) -> list[Voucher]:
    """Give the certificates that overlap a span of one topic's bronze table."""
    return Certificates(settings, contract, topic_id).covering(span)


def _origin_columns(origin: Origin) -> dict[str, Any]:
    return {
        "certificate_id": origin.certificate_id,
        "contract": origin.contract,
        "topic": origin.topic,
        "topic_id": origin.topic_id,
        "table_version": origin.table_version,
    }


def _voucher(row: dict[str, int]) -> Voucher:
    return Voucher(row["start_offset"], row["end_offset"], row["records"], row["hash"] % (2 * _SIGN))


def _signed(number: int) -> int:
    return (number + _SIGN) % (2 * _SIGN) - _SIGN
