"""The warehouse: one JVM that serves SQL over Thrift (dbt, BI) and Spark Connect (batch jobs, gates).

`python -m streaming.warehouse` makes its folders and becomes that JVM, so that a signal to this process is one to it.
The catalog is an embedded Derby, which one process at a time may open: this one.
"""

import os
import shutil
from pathlib import Path

from streaming.session import classpath, java_options, spark_conf
from tidemark.programs import spark_home
from tidemark.settings import Settings
from tidemark.token_key import token_key, token_key_file

SERVER = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"


def folder(settings: Settings) -> Path:
    """Say where the warehouse keeps its catalog and its scratch files; tables live in the lake."""
    return settings.home.absolute() / "warehouse"


def warehouse_conf(settings: Settings) -> dict[str, str]:
    """Give the Spark settings of the warehouse."""
    own = folder(settings)
    return spark_conf(settings) | {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": settings.host,
        "spark.connect.grpc.binding.port": str(settings.connect_port),
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": settings.lake_root,
        "spark.local.dir": str(own / "tmp"),
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": _java_options(settings),
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={own}/metastore_db;create=true",
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
        # Not hive.downloaded.resources.dir as well: the end of any session deletes the folder that it names (tried).
        "spark.hadoop.hive.exec.scratchdir": str(own / "scratch"),
        "spark.hadoop.hive.exec.local.scratchdir": str(own / "local"),
        "spark.hadoop.hive.server2.logging.operation.enabled": "false",
    }


def warehouse_command(settings: Settings) -> list[str]:
    """Give the command line that starts the JVM."""
    conf = warehouse_conf(settings)
    hive = {"hive.server2.thrift.bind.host": settings.host, "hive.server2.thrift.port": str(settings.thrift_port)}
    return [
        f"{spark_home()}/bin/spark-submit",
        *("--class", SERVER, "--name", "tidemark-warehouse", "--master", "local[4]"),
        *("--driver-memory", settings.warehouse_memory, "--driver-class-path", classpath(settings)),
        *(word for key, value in conf.items() for word in ("--conf", f"{key}={value}")),
        "spark-internal",
        *(word for key, value in hive.items() for word in ("--hiveconf", f"{key}={value}")),
    ]


def main() -> None:
    """Make the key of the tokens and the folders, then become the JVM."""
    settings = Settings.load()
    token_key(settings)
    make_folders(folder(settings))
    os.chdir(folder(settings))
    command = warehouse_command(settings)
    os.execv(command[0], command)


def make_folders(own: Path) -> None:
    """Make the warehouse's folders, the scratch ones empty: a killed JVM leaves its shuffle and block files there."""
    for scratch in (own / "tmp", own / "scratch", own / "local"):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)


def _java_options(settings: Settings) -> str:
    own, key_file = folder(settings), token_key_file(settings)
    places = {"derby.system.home": own, "derby.stream.error.file": own / "derby.log", "java.io.tmpdir": own / "tmp"}
    places["tidemark.pii.key.file"] = key_file  # the key itself stands in no command line
    return " ".join([java_options(settings), *(f'"-D{name}={place}"' for name, place in places.items())])


if __name__ == "__main__":
    main()
