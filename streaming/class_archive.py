"""Make the archive of classes that every Spark JVM starts from: `python -m streaming.class_archive`

A JVM that maps it need not find, verify and link some twenty thousand classes anew (JEP 350). A warehouse does a little
of all that streams, batch jobs and queries do, and writes down at its end what it has loaded. Where the archive does
not fit, or is not there, a JVM starts as it would without.
"""

import os
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from streaming.batch.jobs import finish
from streaming.session import batch_session, class_archive
from streaming.warehouse import folder, make_folders, warehouse_command
from tidemark.errors import TidemarkError
from tidemark.names import quoted
from tidemark.ports import is_open
from tidemark.settings import Settings

_STARTS_WITHIN = 180.0  # seconds
_ENDS_WITHIN = 300.0
_RECORD = "id long, text string, at timestamp"


def main() -> None:
    """Make the archive; it is in its place only when it is whole."""
    archive = class_archive(Settings.load())
    archive.unlink(missing_ok=True)
    unfinished = archive.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    print("Archiving the classes that Spark's JVMs start from, once ...", flush=True)
    with tempfile.TemporaryDirectory() as home:
        _write(Settings.model_validate({"home": Path(home), **_free_ports()}), unfinished)
    unfinished.rename(archive)


def _write(settings: Settings, archive: Path) -> None:
    """Run a warehouse that writes the archive when it ends."""
    make_folders(folder(settings))
    # One compiler is enough for so little.
    only_its_jvm = {"SPARK_SUBMIT_OPTS": f"-XX:ArchiveClassesAtExit={archive.absolute()} -XX:TieredStopAtLevel=1"}
    log = settings.home / "warehouse.log"
    with log.open("wb") as told, ExitStack() as held:
        command = warehouse_command(settings)
        jvm = subprocess.Popen(
            command,
            cwd=folder(settings),
            env=os.environ | only_its_jvm,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
        )
        held.callback(jvm.wait, _ENDS_WITHIN)
        held.callback(jvm.terminate)
        _await(settings, jvm)
        with batch_session(settings) as spark:
            _do_a_little_of_all(spark, settings)
    if not archive.exists():
        raise TidemarkError(f"Java wrote no archive of classes:\n{log.read_text()[-2000:]}", "tidemark doctor")


def _await(settings: Settings, jvm: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while not is_open(settings.host, settings.thrift_port):  # the last that it opens
        if jvm.poll() is not None or time.monotonic() > until:
            raise TidemarkError("the warehouse does not start: so there are no classes to archive", "tidemark doctor")
        time.sleep(0.2)


def _do_a_little_of_all(spark: SparkSession, settings: Settings) -> None:
    table, counts = (settings.table("bronze", name) for name in ("records", "counts"))
    text = F.to_json(F.struct("id", (F.col("id") * 1000).alias("at")))
    records = spark.range(1000).select("id", text.alias("text"), F.timestamp_millis(F.col("id") * 60_000).alias("at"))
    for _ in range(2):
        records.withColumn("part", F.col("id") % 2).write.format("delta").mode("append").partitionBy("part").save(table)
    parsed = F.from_json("text", "id long, at long").alias("parsed")
    spark.read.format("delta").load(table).select("*", parsed).groupBy("parsed.id").agg(F.count("*")).collect()
    name = quoted("delta", table)
    for statement in (
        f"MERGE INTO {name} AS t USING {name} AS s ON t.id = s.id + 1000 WHEN MATCHED THEN UPDATE SET *",
        f"OPTIMIZE {name} WHERE part = 0",
        f"DESCRIBE HISTORY {name}",
    ):
        spark.sql(statement).collect()
    store = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    spark.conf.set("spark.sql.streaming.stateStore.providerClass", store)
    stream = spark.readStream.format("delta").load(table).withWatermark("at", "1 minute")
    windows = stream.groupBy(F.window("at", "5 minutes")).count()
    writer = windows.writeStream.format("delta").outputMode("append").trigger(availableNow=True)
    writer.option("checkpointLocation", str(settings.checkpoint("counts"))).start(counts).awaitTermination(60)


def _free_ports() -> dict[str, int]:
    with ExitStack() as held:
        taken = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        names = ("TIDEMARK_THRIFT_PORT", "TIDEMARK_CONNECT_PORT")
        return dict(zip(names, (each.getsockname()[1] for each in taken), strict=True))


if __name__ == "__main__":
    finish(main)
