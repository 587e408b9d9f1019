"""Retirement: which days of a bronze table may go when a contract's time is up, and what the ledger keeps of them.

A day goes only if each of its rows is under a certificate that still holds. What stays in the same buckets of offsets
gets certificates of its own, so that it can be proven when Kafka has expired its records.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tidemark import bronze
from tidemark.bronze_records import PinnedBronze
from tidemark.compare import CHUNK_OFFSETS, Voucher, Vouchers
from tidemark.evidence import Evidence, Flags, Rows, sum_of_hashes
from tidemark.findings import Bucket
from tidemark.ledger import Range
from tidemark.spans import BUCKET, Layout, Span, chunks, runs

_NOBODY = -1
_MOST_RANGES = 1_000  # in one bucket: more would make the ledger's entry a table of its own

Owners = NDArray[np.int16]  # the number of the day that has the row, or _NOBODY


@dataclass
class Retirement:
    """What may be retired of some days, and why others may not."""

    days: list[date]
    refused: dict[date, str] = field(default_factory=dict)
    rows: int = 0
    ranges: dict[int, list[Range]] = field(default_factory=dict)  # by partition, in order
    kept: list[Bucket] = field(default_factory=list)  # what stays beside them, to be certified

    @property
    def hulls(self) -> dict[int, Range]:
        """Give for each partition the one range that holds all that is retired."""
        return {partition: (ranges[0][0], ranges[-1][1]) for partition, ranges in self.ranges.items()}


def expired_days(days: Sequence[date], today: date, retain_days: int) -> list[date]:
    """Choose the days that are older than a contract keeps them, the oldest first."""
    return sorted(day for day in days if day < today - timedelta(days=retain_days))


class Retiring:
    """Looks at one version of a bronze table.

    Args:
        days: all days of the table.
        known: the offsets of each partition that the ledger has.
        vouchers: gives the certificates that overlap a span.
    """

    def __init__(
        self, path: str, version: int, topic: str, days: Sequence[date], known: Sequence[Span], vouchers: Vouchers
    ) -> None:
        self._path, self._version, self._topic = path, version, topic
        self._days = days
        self._known = Layout(known)
        self._vouchers = vouchers

    def planned(self, expired: Sequence[date]) -> Retirement:
        """Say which expired days may go: those left when nothing speaks against any of them."""
        refused: dict[date, str] = {}
        while True:
            plan = self._planned([day for day in expired if day not in refused])
            if not plan.refused:
                plan.refused = refused
                return plan
            refused |= plan.refused

    def _planned(self, expired: Sequence[date]) -> Retirement:
        plan = Retirement(list(expired))
        tables = [self._rows_of([day]) for day in expired]
        spans = self._spans(expired, tables, plan)
        rest = self._rows_of([day for day in self._days if day not in expired])
        for chunk in chunks(spans, CHUNK_OFFSETS):
            layout = Layout(chunk)
            rows, owners = Rows(layout), np.full(layout.size, _NOBODY, np.int16)
            rows.add(rest.rows(chunk))
            for number, table in enumerate(tables):
                for batch in table.rows(chunk):
                    inside = layout.inside(batch.partitions, batch.offsets)
                    owners[layout.places(batch.partitions[inside], batch.offsets[inside])] = number
                    rows.add([batch])
            for span, part in layout.slices:
                nothing = np.zeros(len(span), np.bool_)
                own = (rows.counts[part], rows.hashes[part], rows.times[part])
                self._look_at(Evidence(span, nothing, nothing, rows.hashes[part], *own), owners[part], plan)
        return plan

    def _rows_of(self, days: Sequence[date]) -> PinnedBronze:
        return PinnedBronze(self._path, self._version, self._topic, days)

    def _spans(self, expired: Sequence[date], tables: Sequence[PinnedBronze], plan: Retirement) -> list[Span]:
        """Give the whole buckets that the days have rows in; a day with rows of no record is refused."""
        hulls: dict[int, Range] = {}
        for day, table in zip(expired, tables, strict=True):
            for rows in table.positions():
                plan.rows += len(rows.offsets)
                own = pc.equal(rows.topics, self._topic).fill_null(False).to_numpy(zero_copy_only=False)
                strange = own & ~self._known.inside(rows.partitions, rows.offsets)
                if strange.any() or not _are_exports(rows.topics.filter(pa.array(~own))):
                    plan.refused[day] = "it has rows at positions that the ledger does not know"
                    continue
                for partition in np.unique(rows.partitions[own]).tolist():
                    offsets = rows.offsets[own & (rows.partitions == partition)]
                    low, high = hulls.get(partition, (int(offsets.min()), 0))
                    hulls[partition] = (min(low, int(offsets.min())), max(high, int(offsets.max()) + 1))
        return [
            Span(partition, start // BUCKET * BUCKET, -(-end // BUCKET) * BUCKET)
            for partition, (start, end) in sorted(hulls.items())
        ]

    def _look_at(self, evidence: Evidence, owners: Owners, plan: Retirement) -> None:
        span = evidence.span
        vouchers = self._vouchers(span)
        for bucket in range(span.start // BUCKET, span.end // BUCKET):
            first = bucket * BUCKET - span.start
            retiring = owners[first : first + BUCKET] != _NOBODY
            if not retiring.any():
                continue
            own = [each for each in vouchers if each.start // BUCKET == bucket]
            voucher = next((each for each in own if _holds(each, evidence, owners)), None)
            ranges = [] if voucher is None else _ranges(voucher, evidence, owners)
            if voucher is None or len(ranges) > _MOST_RANGES:
                why = "no certificate that holds covers" if voucher is None else "rows of other days are strewn among"
                where = f"{span.partition}:[{bucket * BUCKET},{(bucket + 1) * BUCKET})"
                for number in np.unique(owners[first : first + BUCKET][retiring]).tolist():
                    plan.refused[plan.days[number]] = f"{why} its rows in {where}"
                continue
            plan.ranges.setdefault(span.partition, []).extend(ranges)
            plan.kept += _beside(voucher, ranges, evidence, bucket)


def _are_exports(topics: pa.Array) -> bool:
    return all(topic is not None and topic.startswith(bronze.EXPORT) for topic in pc.unique(topics).to_pylist())


def _holds(voucher: Voucher, evidence: Evidence, owners: Owners) -> bool:
    """Tell whether a certificate covers all retiring rows of its bucket, and bronze still has what it says."""
    start = evidence.span.start
    first = voucher.start // BUCKET * BUCKET - start
    part = slice(voucher.start - start, voucher.end - start)
    retiring = owners[first : first + BUCKET] != _NOBODY
    covers = int(retiring.sum()) == int((owners[part] != _NOBODY).sum())
    said = (voucher.records, voucher.sum_of_hashes)
    return covers and not (evidence.rows[part] > 1).any() and sum_of_hashes(evidence, part) == said


def _ranges(voucher: Voucher, evidence: Evidence, owners: Owners) -> list[Range]:
    """Give what goes of a certified bucket: all of it, or from the first row that goes to the last, less what stays.

    Offsets without a row between them hold no record: the certificate says so.
    """
    part = slice(voucher.start - evidence.span.start, voucher.end - evidence.span.start)
    goes = owners[part] != _NOBODY
    stays: Flags = np.asarray((evidence.rows[part] > 0) & ~goes)
    if stays.any():
        places = np.flatnonzero(goes)
        outside = np.ones_like(stays)
        outside[places[0] : places[-1] + 1] = False
        stays |= outside
    return [(start + voucher.start, end + voucher.start) for start, end in runs(~stays).tolist()]


def _beside(voucher: Voucher, ranges: Sequence[Range], evidence: Evidence, bucket: int) -> Iterator[Bucket]:
    """Give what stays of a certified bucket, as certificates have it."""
    edges = [voucher.start, *(edge for each in ranges for edge in each), voucher.end]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if start < end:
            part = slice(start - evidence.span.start, end - evidence.span.start)
            yield Bucket(evidence.span.partition, bucket, start, end, *sum_of_hashes(evidence, part))


def joined(ranges: Mapping[int, Sequence[Range]]) -> dict[int, list[Range]]:
    """Join ranges that touch."""
    found: dict[int, list[Range]] = {}
    for partition, each in ranges.items():
        for start, end in each:
            own = found.setdefault(partition, [])
            if own and own[-1][1] == start:
                own[-1] = (own[-1][0], end)
            else:
                own.append((start, end))
    return found
