"""The warehouse: one JVM that serves SQL over Thrift (dbt, BI) and Spark Connect (batch jobs, gates).

`python -m streaming.warehouse` makes its folders and becomes that JVM, so that a signal to this process is one to it.
The catalog is an embedded Derby, which one process at a time may open: this one. Or it is on Postgres, by settings.
"""

import os
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streaming.session import classpath, java_options, spark_conf
from tidemark.errors import TidemarkError
from tidemark.private_files import write_private
from tidemark.programs import spark_home
from tidemark.settings import Settings
from tidemark.token_key import token_key, token_key_file

_POSTGRES_PORT = 5432
_HIVE_MODEL = "org.apache.hadoop.hive.metastore.model"
_CATALOG = (  # what Hive's metastore 2.3 keeps (its package.jdo), without what is a part of another
    *("Database", "Type", "Table", "Constraint", "SerDeInfo", "ColumnDescriptor", "StringList", "StorageDescriptor"),
    *("Partition", "Index", "Role", "RoleMap", "GlobalPrivilege", "DBPrivilege", "TablePrivilege"),
    *("PartitionPrivilege", "TableColumnPrivilege", "PartitionColumnPrivilege", "PartitionEvent", "MasterKey"),
    *("DelegationToken", "TableColumnStatistics", "PartitionColumnStatistics", "VersionTable", "Function"),
    *("NotificationLog", "NotificationNextId"),
)

SERVER = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"


def folder(settings: Settings) -> Path:
    """Say where the warehouse keeps its catalog and its scratch files; tables live in the lake."""
    return settings.home.absolute() / "warehouse"


def warehouse_conf(settings: Settings) -> dict[str, str]:
    """Give the Spark settings of the warehouse."""
    own = folder(settings)
    return spark_conf(settings) | {
        "spark.driver.extraClassPath": _classpath(settings),
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": settings.host,
        "spark.connect.grpc.binding.port": str(settings.connect_port),
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": settings.lake_root,
        "spark.local.dir": str(own / "tmp"),
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": _java_options(settings),
        **_catalog_conf(settings),
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
    secret = ("--properties-file", str(secret_file(settings))) if settings.catalog_url else ()
    hive = {"hive.server2.thrift.bind.host": settings.host, "hive.server2.thrift.port": str(settings.thrift_port)}
    return [
        f"{spark_home()}/bin/spark-submit",
        *("--class", SERVER, "--name", "tidemark-warehouse", "--master", "local[4]"),
        *("--driver-memory", settings.warehouse_memory, "--driver-class-path", _classpath(settings), *secret),
        *(word for key, value in conf.items() for word in ("--conf", f"{key}={value}")),
        "spark-internal",
        *(word for key, value in hive.items() for word in ("--hiveconf", f"{key}={value}")),
    ]


def main() -> None:
    """Make the key of the tokens, the folders and the file with the catalog's password, then become the JVM."""
    settings = Settings.load()
    token_key(settings)
    make_folders(folder(settings))
    if settings.catalog_url:
        write_secret(settings)
    os.chdir(folder(settings))
    command = warehouse_command(settings)
    os.execv(command[0], command)


def make_folders(own: Path) -> None:
    """Make the warehouse's folders, the scratch ones empty: a killed JVM leaves its shuffle and block files there."""
    for scratch in (own / "tmp", own / "scratch", own / "local"):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)


def secret_file(settings: Settings) -> Path:
    """Say where the JVM reads what may stand in no command line."""
    return folder(settings) / ".catalog.properties"


def write_secret(settings: Settings) -> None:
    """Write the catalog's password where the JVM reads it, for its owner alone.

    Raises:
        TidemarkError: the file with the password is not there.
    """
    source = Path(settings.catalog_password_file)
    if not source.is_file():
        fix = "name a file with the password of TIDEMARK_CATALOG_URL"
        raise TidemarkError(f"TIDEMARK_CATALOG_PASSWORD_FILE: {str(source)!r} is not there", fix)
    # A Java properties file: a backslash begins an escape, and blanks before a value are none of it.
    password = source.read_text(encoding="utf-8").strip("\n").replace("\\", "\\\\").replace(" ", "\\ ")
    write_private(secret_file(settings), f"spark.hadoop.javax.jdo.option.ConnectionPassword={password}\n")


def _catalog_conf(settings: Settings) -> dict[str, str]:
    """Give where the catalog is, without its password."""
    option = "spark.hadoop.javax.jdo.option.Connection"
    if not settings.catalog_url:
        return {f"{option}URL": f"jdbc:derby:;databaseName={folder(settings)}/metastore_db;create=true"}
    place = urlsplit(settings.catalog_url)
    return {
        f"{option}URL": f"jdbc:postgresql://{place.hostname}:{place.port or _POSTGRES_PORT}{place.path}",
        f"{option}DriverName": "org.postgresql.Driver",
        f"{option}UserName": unquote(place.username or ""),
        # All tables before any row: one that is made later waits for ever for a row's transaction, which waits for it.
        "spark.hadoop.datanucleus.autoStartMechanism": "Classes",
        "spark.hadoop.datanucleus.autoStartClassNames": ",".join(f"{_HIVE_MODEL}.M{name}" for name in _CATALOG),
    }


def _classpath(settings: Settings) -> str:
    driver = f":{settings.jars.absolute() / 'postgres'}/*" if settings.catalog_url else ""
    return classpath(settings) + driver


def _java_options(settings: Settings) -> str:
    own, key_file = folder(settings), token_key_file(settings)
    places = {"derby.system.home": own, "derby.stream.error.file": own / "derby.log", "java.io.tmpdir": own / "tmp"}
    places["tidemark.pii.key.file"] = key_file  # the key itself stands in no command line
    return " ".join([java_options(settings), *(f'"-D{name}={place}"' for name, place in places.items())])


if __name__ == "__main__":
    main()
