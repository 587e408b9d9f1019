"""Two JVMs commit to one local table: none of their commits may be lost.

The race is run on the log store itself (two plain JVMs, real link(2), a widened window). Then our own Spark session
shows that Delta uses this store and understands what it says.
"""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyspark
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import IllegalArgumentException
from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]
JARS = ROOT / ".jars" / "spark"
CLASSPATH = f"{JARS}/*:{Path(pyspark.__file__).parent}/jars/*"
LINK_STORE = "io.tidemark.LinkLogStore"
DELAY = "tidemark.logstore.publish.delay.ms"

# Hadoop's side file of a commit, well formed but wrong: what a crashed or raw writer leaves behind.
WRONG_CHECKSUM = b"crc\x00" + (512).to_bytes(4, "big") + b"\xba\xad\xf0\x0d" * 8


@pytest.fixture(scope="module", autouse=True)
def jars() -> None:
    assert (JARS / "tidemark-log-store.jar").exists(), "no jars: run streaming/jvm/fetch.sh"


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


# --- the race, on the log store itself


@dataclass(frozen=True)
class Race:
    """What each writer was told of each version, and what the log holds in the end."""

    outcomes: dict[str, list[str]]
    committed: dict[int, str]

    def acknowledged(self) -> list[tuple[int, str]]:
        return sorted((v, w) for w, told in self.outcomes.items() for v, outcome in enumerate(told) if outcome == "won")

    def lost(self) -> list[tuple[int, str]]:
        return [(v, w) for v, w in self.acknowledged() if self.committed.get(v) != f"{w} {v}\nlast line\n"]

    def count(self, outcome: str) -> int:
        return Counter(o for told in self.outcomes.values() for o in told)[outcome]


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the two test-only classes against the jars that Spark runs with."""
    classes = tmp_path_factory.mktemp("classes")
    sources = sorted(map(str, (ROOT / "tests" / "jvm").glob("*.java")))
    subprocess.run(["javac", "-cp", CLASSPATH, "-d", str(classes), *sources], check=True)
    return classes


def race(store: str, versions: int, harness: Path, log: Path) -> Race:
    log.mkdir()
    java = ["java", f"-D{DELAY}=2", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{harness}:{CLASSPATH}"]
    writers = {
        name: subprocess.Popen(
            [*java, "Contend", store, str(log), name, str(versions)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("left", "right")
    }
    try:
        outcomes = run_together(writers)
    finally:
        for writer in writers.values():
            writer.kill()
    return Race(outcomes, {int(f.stem): f.read_text() for f in log.glob("[0-9]*.json")})


def run_together(writers: dict[str, subprocess.Popen[str]]) -> dict[str, list[str]]:
    for writer in writers.values():
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers.values():
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    return {name: writer.communicate(timeout=120)[0].split() for name, writer in writers.items()}


def test_link_store_loses_none_of_1000_contended_commits(harness: Path, tmp_path: Path) -> None:
    result = race(LINK_STORE, 1000, harness, tmp_path / "_delta_log")

    assert [len(told) for told in result.outcomes.values()] == [1000, 1000]
    assert [version for version, _ in result.acknowledged()] == list(range(1000))
    assert result.lost() == []
    assert result.count("beaten") > 100, "the writers hardly met between check and publish: no race was run"
    assert len(names_in(tmp_path / "_delta_log")) == 1000, "temporary or .crc files were left behind"


def test_delta_local_store_loses_some_of_them(harness: Path, tmp_path: Path) -> None:
    """The test above can fail: same writers, same delay, Delta's own store, fewer versions as it is slower."""
    result = race("DelayedLocalLogStore", 300, harness, tmp_path / "_delta_log")

    assert [len(told) for told in result.outcomes.values()] == [300, 300]
    assert sorted(result.committed) == list(range(300))
    assert len(result.lost()) > 0


# --- Delta in our own session


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Path:
    """Version 0, two rows; a blank in the path, as a store that mixes up paths and URIs would write elsewhere."""
    path = tmp_path / "a table"
    spark.range(2).coalesce(1).write.format("delta").save(str(path))
    return path


def delta_log_of(spark: SparkSession, table: Path) -> Any:
    jvm: Any = spark._jvm
    return jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, str(table))


def store_of(spark: SparkSession, table: Path) -> Any:
    log = delta_log_of(spark, table)
    return log.store().getDelegate(log.logPath()).logStoreImpl()


def hadoop_path(spark: SparkSession, uri: str) -> Any:
    jvm: Any = spark._jvm
    return jvm.org.apache.hadoop.fs.Path(uri)


def overwrite(spark: SparkSession, table: Path, uri: str, line: str) -> None:
    """Write one file as Delta does _last_checkpoint, through the table's own store."""
    jvm: Any = spark._jvm
    conf = delta_log_of(spark, table).newDeltaHadoopConf()
    store_of(spark, table).write(hadoop_path(spark, uri), jvm.java.util.List.of(line).iterator(), True, conf)


def count_afresh(spark: SparkSession, table: Path) -> int:
    """Count the rows as a JVM would that has not seen the table before."""
    log = delta_log_of(spark, table)
    jvm: Any = spark._jvm
    jvm.org.apache.spark.sql.delta.DeltaLog.invalidateCache(spark._jsparkSession, log.dataPath())
    return spark.read.format("delta").load(str(table)).count()


def append(spark: SparkSession, table: Path) -> None:
    spark.range(3).coalesce(1).write.format("delta").mode("append").save(str(table))


def operations_of(table: Path) -> list[str]:
    commits = sorted((table / "_delta_log").glob("[0-9]*.json"))
    lines = [json.loads(line) for commit in commits for line in commit.read_text().splitlines()]
    return [line["commitInfo"]["operation"] for line in lines if "commitInfo" in line]


@contextmanager
def delayed_publish(spark: SparkSession, milliseconds: int) -> Iterator[None]:
    jvm: Any = spark._jvm
    jvm.System.setProperty(DELAY, str(milliseconds))
    try:
        yield
    finally:
        jvm.System.clearProperty(DELAY)


def wait_for(log: Path, pattern: str) -> None:
    deadline = time.monotonic() + 60
    while not list(log.glob(pattern)):
        assert time.monotonic() < deadline, f"no {pattern} came up in {log}"
        time.sleep(0.01)


def commit_as_rival(log: Path, version: int) -> None:
    rival = {"commitInfo": {"timestamp": 0, "operation": "RIVAL", "operationParameters": {}, "isBlindAppend": True}}
    (log / ".rival").write_text(json.dumps(rival))
    (log / f"{version:020d}.json").hardlink_to(log / ".rival")


def test_delta_commits_through_the_link_store(spark: SparkSession, table: Path) -> None:
    append(spark, table)

    assert store_of(spark, table).getClass().getName() == LINK_STORE
    assert [name for name in names_in(table / "_delta_log") if ".json" in name] == [f"{v:020d}.json" for v in (0, 1)]


def test_delta_takes_a_taken_version_as_a_conflict_and_commits_the_next_one(spark: SparkSession, table: Path) -> None:
    with delayed_publish(spark, milliseconds=3000):
        appending = threading.Thread(target=append, args=(spark, table))
        appending.start()
        wait_for(table / "_delta_log", f".{1:020d}.json.*.tmp")
        commit_as_rival(table / "_delta_log", version=1)
        appending.join()

    assert operations_of(table) == ["WRITE", "RIVAL", "WRITE"]
    assert count_afresh(spark, table) == 5


def test_a_stale_checksum_does_not_hide_the_commit_that_took_its_name(spark: SparkSession, table: Path) -> None:
    (table / "_delta_log" / f".{1:020d}.json.crc").write_bytes(WRONG_CHECKSUM)

    append(spark, table)

    assert count_afresh(spark, table) == 5


def test_delta_renames_its_checkpoints_into_place(spark: SparkSession, table: Path) -> None:
    """They don't go through the store: on "no" Delta writes them straight to the name that other JVMs read."""
    log = delta_log_of(spark, table)

    assert store_of(spark, table).isPartialWriteVisible(log.logPath(), log.newDeltaHadoopConf()) is True


def test_overwrite_replaces_the_file_and_its_stale_checksum(spark: SparkSession, table: Path) -> None:
    folder = table / "overwritten"
    folder.mkdir()
    overwrite(spark, table, f"file://{folder}/one.json", "first")
    (folder / ".one.json.crc").write_bytes(WRONG_CHECKSUM)

    overwrite(spark, table, f"file://{folder}/one.json", "second")

    assert spark.read.text(str(folder / "one.json")).collect() == [("second",)], "read with checksums verified"
    assert names_in(folder) == ["one.json"]


def test_a_file_that_is_not_there_is_reported_as_delta_expects(spark: SparkSession, table: Path) -> None:
    """Delta asks for _last_checkpoint before there is one, and takes no other exception for "there is none"."""
    with pytest.raises(Py4JJavaError, match=r"java\.io\.FileNotFoundException"):
        store_of(spark, table).read(hadoop_path(spark, f"file://{table}/_delta_log/_last_checkpoint"), None)


def test_another_file_system_is_refused_with_what_to_configure(spark: SparkSession, table: Path) -> None:
    with pytest.raises(IllegalArgumentException, match=r"not s3a://lake/.*logStore\.s3a\.impl.*S3DynamoDBLogStore"):
        overwrite(spark, table, "s3a://lake/table/_delta_log/_last_checkpoint", "line")
