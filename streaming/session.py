"""The only builder of Spark sessions, and the settings that every JVM of ours shares.

Each line that is not a must was measured; docs/adr/0003-spark-settings.md says what it brought.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

from tidemark.errors import TidemarkError
from tidemark.settings import Settings

_CONNECT_PORT = 15002  # Spark's own default
_KNOCK_SECONDS = 5.0

_JAVA_OPTIONS = (
    *("-XX:+UseParallelGC", "-XX:-DontCompileHugeMethods", "-Djava.net.preferIPv4Stack=true"),
    # A micro-batch comes every few seconds: Java would take its code for cold, drop it, and compile it again.
    *("-XX:ReservedCodeCacheSize=480m", "-XX:-UseCodeCacheFlushing"),
    # Without memory nothing can be told of anything: the process ends, and its supervisor starts it anew.
    "-XX:+ExitOnOutOfMemoryError",
    # What Java has to say itself is not for standard output, which is the job's.
    *("-Xlog:disable", "-Xlog:all=error:stderr"),
)

_SHARED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension,io.tidemark.SqlFunctions",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Plans are described for a page that nobody serves: in the short way.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.shuffle.partitions": "2",
    # Generated classes: with the default of 100 each micro-batch of many streams compiles its own anew, and each
    # increment of many models.
    "spark.sql.codegen.cache.maxEntries": "2000",
    # Of a key that stands twice in a document the last value counts, for both JSON parsers.
    "spark.sql.variant.allowDuplicateKeys": "true",
    # A task's stack that overflows, at a record that can't be read, is that record's failure and not the driver's end.
    "spark.executor.killOnFatalError.depth": "0",
    # Two JVMs commit to one table: Delta's own local log store is not atomic between processes.
    "spark.delta.logStore.file.impl": "io.tidemark.LinkLogStore",
    "spark.hadoop.io.delta.kernel.logStore.file.impl": "io.tidemark.LinkLogStore",
    # Hadoop's own starts a process for each file that it makes.
    "spark.hadoop.fs.file.impl": "io.tidemark.LocalFiles",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.databricks.delta.writeChecksumFile.enabled": "false",
    # A batch of nothing but control records still is a batch: the ledger must have it.
    "spark.databricks.delta.skipRecordingEmptyCommits": "false",
    "spark.databricks.delta.optimize.maxFileSize": str(128 * 1024 * 1024),
    "spark.databricks.delta.optimize.minFileSize": str(64 * 1024 * 1024),
    "spark.databricks.delta.optimize.maxThreads": "2",
}

_STREAMS = {
    "spark.scheduler.mode": "FAIR",
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    # It looks each key up before it writes it; without, nobody could see state grow.
    "spark.sql.streaming.stateStore.rocksdb.trackTotalNumberOfRows": "true",
    "spark.sql.streaming.stateStore.rocksdb.boundedMemoryUsage": "true",
    "spark.sql.streaming.numRecentProgressUpdates": "10",
    # Which a restart may go back to, and needs one of: Spark's own hundred keep all state of half an hour. A snapshot
    # comes every ten, and what follows the oldest that is needed stays: some twenty.
    "spark.sql.streaming.minBatchesToRetain": "10",
    "spark.sql.streaming.pollingDelay": "100ms",
    # A query that does not end holds up no end of all: half a minute after its last micro-batch the process is gone.
    "spark.sql.streaming.stopTimeout": "20s",
    # The default one starts a process for each file that it writes.
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.FileSystemBasedCheckpointFileManager"
    ),
    "spark.sql.adaptive.enabled": "false",
    # What few rows need is not worked out for all of them.
    "spark.sql.subexpressionElimination.skipForShortcutExpr": "true",
    # A batch writes one day, at midnight two: it need not be sorted by day.
    "spark.sql.maxConcurrentOutputFileWriters": "2",
}


_TALKATIVE = (
    # Each stream has a pool of its own; that nobody wrote a file of pools is told for each of them.
    "org.apache.spark.scheduler.FairSchedulableBuilder",
    # After a start each micro-batch is late, until Java has compiled the code. An alert tells of slow streams.
    "org.apache.spark.sql.execution.streaming.ProcessingTimeExecutor",
)


class SparkAway(TidemarkError):
    """Nobody answers where Spark should be."""

    exit_code = 2


def classpath(settings: Settings) -> str:
    """Give the jars' class path: on the driver's own path, since Delta's catalog must be found by the Thrift server."""
    return str(settings.jars.absolute() / "spark" / "*")


def class_archive(settings: Settings) -> Path:
    """Say where the classes are from which a JVM starts, if they were archived."""
    return settings.jars.absolute() / "classes.jsa"


def java_options(settings: Settings) -> str:
    """Give the options of every JVM; an archive that does not fit to its jars is passed over by Java."""
    archive = class_archive(settings)
    return " ".join([*_JAVA_OPTIONS, *([f"-XX:SharedArchiveFile={archive}"] if archive.exists() else [])])


def spark_conf(settings: Settings) -> dict[str, str]:
    """Give the settings that every JVM shares."""
    return _SHARED | {
        "spark.driver.extraClassPath": classpath(settings),
        "spark.driver.extraJavaOptions": java_options(settings),
        "spark.driver.host": settings.host,
        "spark.driver.bindAddress": settings.host,
        "spark.local.dir": str(settings.home.absolute() / "tmp"),
        # A database without a location of its own is made here; dbt asks for the lake by the second name.
        "spark.sql.warehouse.dir": settings.lake_root,
        "spark.tidemark.lake": settings.lake_root,
        "spark.log.level": "WARN",
    }


def streams_session(settings: Settings) -> SparkSession:
    """Start the streams' driver: a classic session without a metastore, so that it outlives one."""
    conf = spark_conf(settings) | _STREAMS | {"spark.driver.memory": settings.streams_memory}
    spark = classic_session("tidemark-streams", settings.spark_master, conf)
    log4j = spark.sparkContext._jvm.org.apache.logging.log4j  # type: ignore[union-attr]
    for name in _TALKATIVE:
        log4j.core.config.Configurator.setLevel(name, log4j.Level.ERROR)
    return spark


@contextmanager
def batch_session(settings: Settings) -> Iterator[SparkSession]:
    """Hold a session of the warehouse; where none is running, a driver of our own.

    Raises:
        SparkAway: nobody answers at TIDEMARK_SPARK_REMOTE.
    """
    spark = _batch_session(settings)
    try:
        yield spark
    finally:
        spark.stop()  # of a warehouse, only our session


def _batch_session(settings: Settings) -> SparkSession:
    if settings.spark_remote:
        _knock(settings.spark_remote)
    if settings.spark_remote or warehouse_answers(settings):
        remote: SparkSession = SparkSession.builder.remote(settings.connect_url).create()
        return remote
    conf = spark_conf(settings) | {"spark.driver.memory": settings.warehouse_memory}
    return classic_session("tidemark-batch", "local[2]", conf)


def classic_session(name: str, master: str, conf: dict[str, str]) -> SparkSession:
    """Start a driver in this process, or join the one that it has."""
    builder = SparkSession.builder.appName(name).master(master)
    for key, value in conf.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _knock(address: str) -> None:
    """See whether anybody answers at a Spark Connect address: its client would try for ten minutes."""
    server = urlsplit(address)
    try:
        socket.create_connection((server.hostname or "", server.port or _CONNECT_PORT), _KNOCK_SECONDS).close()
    except OSError as error:
        fix = "start that Spark, or unset TIDEMARK_SPARK_REMOTE to use the embedded warehouse"
        raise SparkAway(f"no Spark answers at {address} (TIDEMARK_SPARK_REMOTE): {error}", fix) from error


def warehouse_answers(settings: Settings) -> bool:
    """Tell whether the embedded warehouse runs."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((settings.host, settings.connect_port)) == 0
