"""What a vacuum must leave: seven days at least, and all that somebody needs."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from streaming.batch.vacuum import LEAST, Guard, Vacuumed, guard, retention, vacuumed
from tests.unit.delta_log import age_removals
from tidemark.certificates import Origin, PartitionMark, Tidemark, write_tidemark
from tidemark.contracts import Contract, read_contracts
from tidemark.errors import TidemarkError
from tidemark.ledger import Ledger
from tidemark.locks import exclusive, held_since, write_lock
from tidemark.maintenance import NotNeutral, last_done, recorded
from tidemark.settings import ROOT, Settings

pytestmark = pytest.mark.unit

NOW = datetime(2025, 6, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CONTRACT: Contract = read_contracts(ROOT / "contracts")["ride_events"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give a lake with a table of two versions."""
    settings = Settings(home=tmp_path)
    for number in range(2):
        rows = pa.table({"_offset": pa.array([number], pa.int64())})
        write_deltalake(settings.table("bronze", CONTRACT.id), rows, mode="append")
    return settings


def prove(settings: Settings, version: int, at: datetime) -> None:
    origin = Origin(f"proof {at}", CONTRACT.id, "topic", "id", version, at)
    write_tidemark(settings, Tidemark(origin, "proven", (PartitionMark(0, 1, at),)))


@pytest.mark.parametrize(
    ("writing", "days"), [([], 7), ([NOW - 2 * DAY], 7), ([NOW - 20 * DAY, NOW - 2 * DAY], 21), ([NOW + 9 * DAY], 7)]
)
def test_retention_is_seven_days_or_longer_than_the_longest_write(writing: list[datetime], days: int) -> None:
    assert retention(NOW, writing) == days * DAY


def test_retention_is_rounded_up_to_hours() -> None:
    assert retention(NOW, [NOW - 8 * DAY - timedelta(minutes=1)]) == 9 * DAY + timedelta(hours=1)


def test_the_version_that_silver_reads_is_kept_and_its_log_is(settings: Settings) -> None:
    later = datetime.now(UTC) + 30 * DAY
    assert guard(settings, CONTRACT, later) == Guard({}, LEAST)
    assert guard(settings, CONTRACT, later).log_needed_since(later) == later - LEAST
    prove(settings, 0, NOW)
    prove(settings, 1, NOW + DAY)
    found = guard(settings, CONTRACT, later)
    assert list(found.versions) == [1]
    assert found.log_needed_since(later) == found.versions[1] - DAY < later - 30 * DAY


def test_a_proof_of_a_table_that_was_archived_keeps_nothing(settings: Settings) -> None:
    prove(settings, 99, NOW)
    assert guard(settings, CONTRACT, NOW) == Guard({}, LEAST)


def test_without_the_age_of_what_silver_reads_nothing_is_vacuumed(settings: Settings) -> None:
    prove(settings, 0, NOW)
    (Path(settings.table("bronze", CONTRACT.id)) / "_delta_log" / f"{0:020d}.json").unlink()
    with pytest.raises(TidemarkError, match="has version 0, which somebody needs"):
        guard(settings, CONTRACT, NOW)


def test_a_running_write_keeps_what_it_has_made(settings: Settings) -> None:
    lock = write_lock(settings.locks, CONTRACT.id)
    later = datetime.now(UTC) + 10 * DAY
    assert held_since(lock) is None
    with exclusive(lock, "the write lock"):
        assert guard(settings, CONTRACT, later).retained >= 11 * DAY
    assert held_since(lock) is None
    assert guard(settings, CONTRACT, later).retained == LEAST


def test_the_version_before_a_compaction_that_was_not_neutral_is_kept_for_thirty_days(settings: Settings) -> None:
    with pytest.raises(NotNeutral), recorded(settings, CONTRACT.id):
        raise NotNeutral("rows differ")
    now = datetime.now(UTC)
    assert list(guard(settings, CONTRACT, now + 20 * DAY).versions) == [1]
    assert guard(settings, CONTRACT, now + 31 * DAY).versions == {}


class Aged:
    """A table whose first three files were replaced by one ten days ago; checkpoints have forgotten it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.path = Path(settings.table("bronze", CONTRACT.id))
        for number in range(3):
            self.append(number)
        DeltaTable(self.path).optimize.compact()
        moment = (datetime.now(UTC) - 10 * DAY).timestamp()
        for file in self.files():
            os.utime(file, (moment, moment))
        for commit in (self.path / "_delta_log").glob("*.json"):
            age_removals(commit, 10 * DAY)
        DeltaTable(self.path).create_checkpoint()

    def append(self, number: int) -> None:
        rows = pa.table({"n": [number], "_ingest_date": pa.array([date(2025, 1, 1)], pa.date32())})
        write_deltalake(self.path, rows, mode="append", partition_by=["_ingest_date"])

    def files(self) -> list[Path]:
        return sorted(self.path.glob("_ingest_date=*/*.parquet"))

    def numbers(self, version: int | None = None) -> list[int]:
        return sorted(DeltaTable(self.path, version=version).to_pyarrow_table()["n"].to_pylist())

    def vacuum(self, *, dry_run: bool = False) -> Vacuumed:
        return vacuumed(self.settings, CONTRACT, guard(self.settings, CONTRACT, datetime.now(UTC)), dry_run)


@pytest.fixture
def aged(tmp_path: Path) -> Aged:
    return Aged(Settings(home=tmp_path))


def test_files_that_left_the_table_long_ago_go_and_young_ones_stay(aged: Aged) -> None:
    aged.append(3)
    DeltaTable(aged.path).optimize.compact()  # what it replaces is young, though one file of it is old
    orphan = aged.files()[0].with_name("orphan.parquet")
    orphan.write_bytes(b"of a write that has not committed yet")
    size = sum(file.stat().st_size for file in aged.files()[:6])
    assert (aged.vacuum(dry_run=True).files, len(aged.files())) == (3, 7)
    done = aged.vacuum()
    assert (done.files, done.retained_hours, len(aged.files())) == (3, 168, 4)
    assert done.bytes is not None and 0 < done.bytes < size
    assert (aged.numbers(), aged.numbers(version=3)) == ([0, 1, 2, 3], [0, 1, 2])
    assert orphan.exists() and aged.vacuum().files == 0


def test_the_files_of_the_version_that_silver_reads_stay_whatever_their_age(aged: Aged) -> None:
    prove(aged.settings, 1, NOW)
    done = aged.vacuum()
    assert (done.files, done.kept_versions, aged.numbers(version=1)) == (1, [1], [0, 1])
    prove(aged.settings, 3, NOW + DAY)
    assert (aged.vacuum().files, aged.numbers()) == (2, [0, 1, 2])


def test_a_step_is_remembered_when_it_was_done_and_a_run_without_one_is_not(settings: Settings) -> None:
    with recorded(settings, CONTRACT.id):
        pass
    assert not Ledger(settings.table("ops", "maintenance")).exists()
    with recorded(settings, CONTRACT.id) as run:
        run.done["vacuum"] = {"files": 3}
    assert last_done(settings, CONTRACT.id, "vacuum") == run.started_at
    assert last_done(settings, CONTRACT.id, "retire") is None
    assert last_done(settings, "another", "vacuum") is None
