"""Faults of tables, services and the machine, each made for real and mended when its block ends."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import AddAction, RemoveAction

from tests.e2e.watched import Watched, frozen
from tests.kafka import dies_with_us

SMALL_FILES = 5_100

_LEFT_OF_DISK = 0.06
_HALF_A_DAY = 12 * 3_600_000  # milliseconds
_HOG = Path(__file__).with_name("memory_hog.py")


@contextmanager
def row_doubled(house: Watched) -> Iterator[None]:
    """Write a row of bronze a second time, and let all look at it that look each day."""
    path = house.table("doubled_rides")
    first = (ds.field("_partition") == 0) & (ds.field("_offset") == 0)
    write_deltalake(path, DeltaTable(path).to_pyarrow_dataset().to_table(filter=first), mode="append")
    for words in (("prove", "doubled_rides"), ("watch",), _reconcile(), ("gate", "bronze.doubled_rides")):
        assert house.run(*words).returncode == 1, words
    yield
    for words in (_reconcile("--remove-extra"), ("prove", "doubled_rides"), ("gate", "bronze.doubled_rides")):
        house.done(*words)
    house.run("watch")  # it says 1: of poisoned records it tells for a day


@contextmanager
def short_retention(house: Watched) -> Iterator[None]:
    """Let Kafka forget within hours what no proof has covered."""
    house.done("produce", "held_rides", "--count", "10")
    _set(house, "held_rides", AlterConfigOpType.SET)
    yield
    _set(house, "held_rides", AlterConfigOpType.DELETE)


@contextmanager
def crowded_table(house: Watched) -> Iterator[None]:
    """Make a table of thousands of files, as nobody's upkeep leaves it."""
    path = Path(house.settings.table("speed", "crowded"))
    row = pa.table({"number": [1]})
    table = DeltaTable.create(str(path), row.schema)
    pq.write_table(row, path / "first.parquet")
    names = [f"part-{number}.parquet" for number in range(SMALL_FILES)]
    for name in names:
        shutil.copy(path / "first.parquet", path / name)
    size, now = (path / "first.parquet").stat().st_size, time.time_ns() // 10**6
    files: list[AddAction | RemoveAction] = [
        AddAction(name, size, {}, now, data_change=True, stats='{"numRecords": 1}') for name in names
    ]
    table.create_write_transaction(files, "append", row.schema)
    yield
    shutil.rmtree(path)


@contextmanager
def disk_filled(house: Watched) -> Iterator[None]:
    """Leave little room on the disk."""
    disk = shutil.disk_usage(house.home)
    ballast = house.home / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.free - int(disk.total * _LEFT_OF_DISK))
    yield
    ballast.unlink()


@contextmanager
def memory_taken(house: Watched) -> Iterator[None]:
    """Leave little memory; whoever needs some gets it back."""
    hog = subprocess.Popen([*dies_with_us(), sys.executable, str(_HOG)])
    try:
        yield
    finally:
        hog.kill()
        hog.wait(30)


def hangs(service: str) -> Callable[[Watched], AbstractContextManager[None]]:
    """Let a service hang: its process is there, and answers nobody."""
    return lambda house: frozen(house.service(service))


@contextmanager
def streams_hang(house: Watched) -> Iterator[None]:
    """Let the streams' Java hang while many records come."""
    with house.producing("ride_events", "--rate", "300"), frozen(house.jvm("streams")):
        yield


def _set(house: Watched, topic: str, how: AlterConfigOpType) -> None:
    """Set how long a topic keeps its records, or let it be as the broker has it."""
    entry = ConfigEntry("retention.ms", str(_HALF_A_DAY), incremental_operation=how)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client = AdminClient({"bootstrap.servers": house.settings.bootstrap, "log_level": 0})
    client.incremental_alter_configs([resource])[resource].result()


def _reconcile(*words: str) -> tuple[str, ...]:
    return ("reconcile", "doubled_rides", "--date", str(datetime.now(UTC).date()), *words)
