"""Judge a topic's newest records by a changed contract: `python -m streaming.batch.try_contract <file> --last N`

By the stream's own code, and by the contract in force as well; nothing is written.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from streaming.batch.jobs import finish, known_contract
from streaming.session import batch_session
from streaming.sources import topic_ranges
from streaming.transforms.bronze import bronze_rows
from streaming.writer_lookup import decoder_for
from tidemark import bronze
from tidemark.contracts import Contract, read_contract
from tidemark.ledger import Ranges
from tidemark.quarantine import Sample, masked
from tidemark.settings import Settings
from tidemark.topics import Bounds, Topics

_BEFORE = "__before"
_NEWEST = "__newest"

Place = tuple[int, int]  # partition and offset


@dataclass(frozen=True)
class Group:
    """Records that have the same reasons before, and the same after."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    records: int
    newest: tuple[Place, ...]

    @property
    def is_quarantined_anew(self) -> bool:
        """Tell whether the contract in force takes them, and the changed one does not."""
        return bool(self.after) and not self.before

    @property
    def is_accepted_anew(self) -> bool:
        """Tell whether the changed contract takes them, and the one in force does not."""
        return bool(self.before) and not self.after

    @property
    def reasons(self) -> tuple[str, ...]:
        """Say why they are held back, or were."""
        return self.after or self.before


@dataclass(frozen=True)
class Moved:
    """Records that the two contracts judge otherwise; one may have several reasons."""

    records: int
    reasons: dict[str, int]
    samples: list[Sample]


@dataclass(frozen=True)
class Trial:
    """What became of the records."""

    contract: str
    versions: tuple[str, str]  # in force, and tried
    records: int
    newly_quarantined: Moved
    newly_accepted: Moved
    still_quarantined: int


class Records:
    """A topic's newest records, judged by two contracts."""

    def __init__(self, records: DataFrame, old: Contract, new: Contract, settings: Settings) -> None:
        self._records, self._old, self._new, self._settings = records, old, new, settings

    def groups(self, samples: int) -> list[Group]:
        """Judge them, and count those that are judged alike."""
        before = self._reasons(self._old).withColumnRenamed(bronze.ERRORS, _BEFORE)
        both = self._reasons(self._new).join(before, [bronze.PARTITION, bronze.OFFSET])
        places = F.sort_array(F.collect_list(F.struct(bronze.OFFSET, bronze.PARTITION)), asc=False)
        newest = F.slice(places, 1, samples).alias(_NEWEST)
        found = both.groupBy(_BEFORE, bronze.ERRORS).agg(F.count("*").alias("records"), newest).collect()
        return [
            Group(tuple(before), tuple(after), records, tuple((partition, offset) for offset, partition in newest))
            for before, after, records, newest in found
        ]

    def payloads(self, places: Iterable[Place]) -> dict[Place, str]:
        """Read some again; what either contract calls personal is masked."""
        offsets = sorted({offset for _, offset in places})
        both = self._new.model_copy(update={"columns": (*self._old.columns, *self._new.columns)})
        wanted = self._records.where(F.col("offset").isin(offsets)).select("partition", "offset", "value")
        return {(row[0], row[1]): masked(row[2], both) for row in wanted.collect()} if offsets else {}

    def _reasons(self, contract: Contract) -> DataFrame:
        decoder = decoder_for(self._records, contract, self._settings)
        # About when it landed: what was too far ahead then is so still.
        came = F.least(F.col(bronze.KAFKA_TIME), F.current_timestamp())
        rows = bronze_rows(self._records, contract, decoder, came, self._settings.future_limit_minutes)
        return rows.select(bronze.PARTITION, bronze.OFFSET, bronze.ERRORS)


def newest_ranges(bounds: Mapping[int, Bounds], wanted: int) -> Ranges:
    """Spread a number of offsets over the partitions, from the end of each; a short one leaves its share to others."""
    ranges: dict[int, tuple[int, int]] = {}
    shortest_first = sorted(bounds, key=lambda each: bounds[each].last_stable - bounds[each].low)
    for done, partition in enumerate(shortest_first):
        low, end = bounds[partition].low, bounds[partition].last_stable
        share = -(-wanted // (len(bounds) - done))
        ranges[partition] = (max(low, end - share), end)
        wanted -= end - ranges[partition][0]
    return ranges


def tried(settings: Settings, old: Contract, new: Contract, last: int, samples: int) -> Trial:
    """Judge the newest records of a topic by the contract in force and by a changed one.

    Raises:
        RegistryAway: a schema has to be looked up, and the registry does not answer.
    """
    ranges = newest_ranges(Topics(settings.bootstrap).bounds(old.topic), last)
    if not any(start < end for start, end in ranges.values()):
        return _trial(old, new, [], {})
    with batch_session(settings) as spark:
        records = Records(topic_ranges(spark, settings, old.topic, ranges), old, new, settings)
        groups = records.groups(samples)
        moved = (each for each in groups if each.is_quarantined_anew or each.is_accepted_anew)
        return _trial(old, new, groups, records.payloads([place for each in moved for place in each.newest]))


def main() -> None:
    """Judge, and say what would be judged otherwise."""
    arguments = _arguments()
    settings = Settings.load()
    new = read_contract(arguments.file)
    old = known_contract(settings, new.id)
    trial = tried(settings, old, new, arguments.last, arguments.samples)
    if arguments.json:
        print(json.dumps(asdict(trial)))
    else:
        _show(trial)


def _trial(old: Contract, new: Contract, groups: list[Group], payloads: Mapping[Place, str]) -> Trial:
    sides = [
        Moved(sum(each.records for each in side), _counted(side), list(_samples(side, old.topic, payloads)))
        for side in (
            [each for each in groups if each.is_quarantined_anew],
            [each for each in groups if each.is_accepted_anew],
        )
    ]
    still = sum(each.records for each in groups if each.before and each.after)
    return Trial(new.id, (old.version, new.version), sum(each.records for each in groups), sides[0], sides[1], still)


def _counted(groups: Iterable[Group]) -> dict[str, int]:
    counts = Counter[str]()
    for group in groups:
        counts.update(dict.fromkeys(group.reasons, group.records))
    return dict(counts.most_common())


def _samples(groups: Iterable[Group], topic: str, payloads: Mapping[Place, str]) -> Iterator[Sample]:
    for group in groups:
        for partition, offset in group.newest:
            yield Sample(f"{topic}/{partition}@{offset}", group.reasons, payloads[partition, offset])


def _show(trial: Trial) -> None:
    console = Console()
    old, new = trial.versions
    table = Table("by version " + new, "reason", "records", title=f"{trial.contract}: {trial.records:,} newest records")
    sides = (("quarantined", trial.newly_quarantined), ("accepted", trial.newly_accepted))
    for side, moved in sides:
        table.add_row(f"newly {side}", "", f"{moved.records:,}")
        for reason, records in moved.reasons.items():
            table.add_row("", reason, f"{records:,}")
    table.add_row(f"quarantined, as by {old}", "", f"{trial.still_quarantined:,}")
    console.print(table)
    for side, moved in sides:
        for sample in moved.samples:
            console.print(f"newly {side}: {', '.join(sample.reasons)}  {sample.position}", style="bold", markup=False)
            console.print(f"  {sample.payload}", highlight=False, markup=False)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tidemark contracts try", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--last", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    finish(main)
