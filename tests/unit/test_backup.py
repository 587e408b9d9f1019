"""Backup and restore: each copy is of one moment, and half a backup is told from a whole one."""

import itertools
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tidemark.backup import MANIFEST, backup, restore
from tidemark.copying import copy_checkpoint, copy_still
from tidemark.errors import TidemarkError
from tidemark.locks import exclusive, owner_lock
from tidemark.settings import Settings

pytestmark = pytest.mark.unit


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give the settings of a home with everything in it that can't be made anew."""
    home = tmp_path / "home"
    for name, text in {
        "checkpoints/bronze_rides/metadata": '{"id": "one"}',
        "checkpoints/ride_counts.floor.json": "{}",
        "checkpoints/bronze_rides.superseded-1/metadata": "{}",
        "registry/data.mv.db": "schemas",
        "warehouse/metastore_db/seg0/c10.dat": "names",
        "warehouse/metastore_db/db.lck": "whose",
        "airflow/.core__fernet_key": "key",
        "secrets/pii.key": "secret",
        "kafka/data/records": "not ours",
        "lake/bronze/rides/part-0": "large",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / "secrets" / "pii.key").chmod(0o600)
    with sqlite3.connect(home / "airflow" / "airflow.db") as database:
        database.execute("create table runs (id integer)")
    return Settings(home=home, lake="")


def silent(line: str) -> None:
    """Take no notice."""


def planned(checkpoint: Path, offsets: int, commits: int) -> None:
    """Write a checkpoint's files of so many planned and committed micro-batches."""
    for folder, count in (("offsets", offsets), ("commits", commits)):
        (checkpoint / folder).mkdir(parents=True, exist_ok=True)
        for batch in range(count):
            (checkpoint / folder / str(batch)).write_text("v1")
            (checkpoint / folder / f".{batch}.crc").write_text("sum")


def test_what_was_backed_up_is_restored_and_what_was_there_is_moved_aside(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "backup", silent)
    kept = {str(path.relative_to(tmp_path / "backup")) for path in (tmp_path / "backup").rglob("*") if path.is_file()}
    assert kept == {
        *("checkpoints/bronze_rides/metadata", "checkpoints/ride_counts.floor.json", "registry/data.mv.db"),
        *("warehouse/metastore_db/seg0/c10.dat", "airflow/.core__fernet_key", "airflow/airflow.db"),
        *("secrets/pii.key", MANIFEST),
    }
    (settings.home / "secrets" / "pii.key").write_text("another")
    restore(settings, tmp_path / "backup", silent)
    key = settings.home / "secrets" / "pii.key"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("secret", 0o600)
    assert [path.read_text() for path in settings.home.glob("before-restore-*/secrets/pii.key")] == ["another"]
    with sqlite3.connect(settings.home / "airflow" / "airflow.db") as database:
        assert database.execute("select count(*) from runs").fetchone() == (0,)


def lose_the_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def lose_a_file(folder: Path) -> None:
    (folder / "secrets" / "pii.key").unlink()


def spoil_a_file(folder: Path) -> None:
    (folder / "registry" / "data.mv.db").write_text("schemaz")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lose_the_manifest, "has no manifest.json"),
        (lose_a_file, "secrets/pii.key \\(missing\\)"),
        (spoil_a_file, "registry/data.mv.db \\(other bytes\\)"),
    ],
)
def test_half_a_backup_is_refused_by_name(
    settings: Settings, tmp_path: Path, spoil: Callable[[Path], None], told: str
) -> None:
    backup(settings, tmp_path / "backup", silent)
    spoil(tmp_path / "backup")
    with pytest.raises(TidemarkError, match=told):
        restore(settings, tmp_path / "backup", silent)
    assert not list(settings.home.glob("before-restore-*"))


def test_nothing_is_restored_under_a_running_stream(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "backup", silent)
    lock = owner_lock(settings.locks, "bronze_rides")
    with exclusive(lock, "the stream"), pytest.raises(TidemarkError, match="stream bronze_rides runs"):
        restore(settings, tmp_path / "backup", silent)


def test_a_backup_goes_to_a_new_folder(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "backup", silent)
    made = json.loads((tmp_path / "backup" / MANIFEST).read_text())["made_at"]
    with pytest.raises(TidemarkError, match="is not empty"):
        backup(settings, tmp_path / "backup", silent)
    assert json.loads((tmp_path / "backup" / MANIFEST).read_text())["made_at"] == made


def test_of_a_running_stream_one_batch_more_is_planned_than_committed(tmp_path: Path) -> None:
    planned(tmp_path / "checkpoint", offsets=9, commits=5)  # as if four were planned while it was copied
    copy_checkpoint(tmp_path / "checkpoint", tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy" / "commits").glob("[0-9]*")) == list("01234")
    assert sorted(path.name for path in (tmp_path / "copy" / "offsets").glob("[0-9]*")) == list("012345")
    assert not (tmp_path / "copy" / "offsets" / ".6.crc").exists()


def test_a_copy_waits_until_nobody_writes(tmp_path: Path) -> None:
    source, began, until = tmp_path / "source", threading.Event(), time.monotonic() + 0.6
    source.mkdir()

    def write() -> None:
        for number in itertools.count():
            (source / "first").write_text(str(number))
            (source / "second").write_text(str(number))
            began.set()
            if time.monotonic() > until:
                return

    writer = threading.Thread(target=write)
    writer.start()
    began.wait()
    copy_still(source, tmp_path / "copy")
    writer.join()
    assert (tmp_path / "copy" / "first").read_text() == (source / "first").read_text()
    assert (tmp_path / "copy" / "second").read_text() == (source / "second").read_text()
