"""An operational system's own rows beside bronze's, day by day: what is missing or different is appended.

Everything that is worked out is kept in a scratch folder of the lake while it is needed, not in memory.
"""

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from streaming.batch.scratch import scratch
from streaming.transforms.exports import (
    DIFFERENT,
    EXTRA,
    FOUND,
    KIND,
    MISSING,
    WANTED,
    checked_as_a_whole,
    compared,
    exported_rows,
    is_exported,
    is_of,
)
from tidemark import bronze
from tidemark.contracts import Contract
from tidemark.export_rows import RECORDS, records
from tidemark.exports import ExportFile
from tidemark.ledger import Ledger
from tidemark.quarantine import MASK
from tidemark.reconciliations import Difference
from tidemark.settings import Settings


@dataclass(frozen=True)
class SourceFound:
    """What a comparison of one day found; counts are of keys, `rejected` of rows that bronze does not have yet."""

    day: date
    version: int
    folder: str  # with what was compared, key by key
    counts: Counter[str]
    rejected: int


class SourceDays:
    """The rows of some export files, judged, and compared with bronze one day at a time.

    Args:
        day: what the files are filed under; None: an archive, whose rows are of many days, and not of all there is.
        first: the day that stands for Kafka's time in their rows, and to which rejected rows count.
    """

    def __init__(
        self,
        settings: Settings,
        contract: Contract,
        spark: SparkSession,
        files: Sequence[ExportFile],
        day: date | None,
        first: date,
    ) -> None:
        self._settings, self._contract, self._spark = settings, contract, spark
        self._files, self._day, self._first = files, day, first
        self._held = ExitStack()
        self._path = settings.table("bronze", contract.id)

    def __enter__(self) -> Self:
        with ExitStack() as held:
            self._folder = held.enter_context(scratch(self._settings))
            self._stage()
            self._held = held.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._held.close()

    def compare(self, day: date) -> SourceFound:
        """Compare a day's rows with the newest version of bronze."""
        version = Ledger(self._path).latest_version()
        there = self._bronze(version).where((F.size(bronze.ERRORS) == 0) & F.col(bronze.VALUE).isNotNull())
        wanted = self._judged().where((F.size(bronze.ERRORS) == 0) & is_of(self._contract, day))
        found = compared(wanted, there.where(is_of(self._contract, day)), self._contract)
        folder = self._at(f"compared-{uuid.uuid4()}")
        found.write.parquet(folder)
        counts: Counter[str] = Counter()
        for batch in _compared(folder).to_batches(columns=[KIND]):
            counts.update(batch.column(0).to_pylist())
        rejected = self._rejected(version).count() if day == self._first else 0
        return SourceFound(day, version, folder, counts, rejected)

    def missing_or_different(self, found: SourceFound) -> DataFrame:
        """Give the rows to append for what was found, those that are rejected among them."""
        wanted = self._spark.read.parquet(found.folder)
        keys = wanted.where(F.col(KIND).isin(MISSING, DIFFERENT)).select(*self._contract.key)
        good = self._judged().where((F.size(bronze.ERRORS) == 0) & is_of(self._contract, found.day))
        rows = good.join(keys, list(self._contract.key), "left_semi")
        return rows.unionByName(self._rejected(found.version)) if found.day == self._first else rows

    def differences(self, found: SourceFound) -> Iterator[Difference]:
        """Tell row by row what was found; what the contract calls personal is masked."""
        kinds = [MISSING, DIFFERENT, *([EXTRA] if self._day else [])]
        for batch in _compared(found.folder).to_batches():
            for row in batch.to_pylist():
                if row[KIND] in kinds:
                    yield _difference(row, self._contract)

    def _stage(self) -> None:
        at = datetime.combine(self._first, time(), UTC)
        (self._folder / "records").mkdir()
        for number, file in enumerate(self._files):
            with pq.ParquetWriter(self._folder / "records" / f"{number}.parquet", RECORDS) as writer:
                for table in records(file, self._contract, at):
                    writer.write_table(table)
        raw = self._spark.read.parquet(self._at("records"))
        judged = exported_rows(raw, self._contract, datetime.now(UTC), self._settings.future_limit_minutes)
        checked_as_a_whole(judged, self._contract, self._day).write.parquet(self._at("judged"))

    def _judged(self) -> DataFrame:
        return self._spark.read.parquet(self._at("judged"))

    def _rejected(self, version: int) -> DataFrame:
        """Give the quarantined rows that bronze does not have yet."""
        bad = self._judged().where(F.size(bronze.ERRORS) > 0)
        imported = self._bronze(version).where(is_exported())
        # All rows of these files have this one time: by its statistics, few files of the table are read.
        imported = imported.where(F.col(bronze.KAFKA_TIME) == F.lit(datetime.combine(self._first, time(), UTC)))
        return bad.join(imported.select(*bronze.POSITION), list(bronze.POSITION), "left_anti").select(bad.columns)

    def _bronze(self, version: int) -> DataFrame:
        return self._spark.read.format("delta").option("versionAsOf", version).load(self._path)

    def _at(self, name: str) -> str:
        return str(self._folder / name)


def _compared(folder: str) -> ds.Dataset:
    schema = pa.schema([(name, pa.string()) for name in (KIND, WANTED, FOUND)])
    files = sorted(str(path) for path in Path(folder).glob("*.parquet"))
    return ds.dataset(files, schema=schema, format="parquet")


def _difference(row: dict[str, Any], contract: Contract) -> Difference:
    wanted, found = (_json(row[name]) for name in (WANTED, FOUND))
    personal = {column.name for column in contract.columns if column.pii}
    both = wanted or found
    key = {name: MASK if name in personal else both[name] for name in contract.key}
    if row[KIND] != DIFFERENT:
        return Difference(row[KIND], key)
    differing = {name: [found.get(name), wanted[name]] for name in wanted if found.get(name) != wanted[name]}
    return Difference(row[KIND], key, {name: [MASK] * 2 if name in personal else differing[name] for name in differing})


def _json(text: str | None) -> dict[str, Any]:
    return json.loads(text) if text else {}
