"""dbt with a Spark of its own, where no warehouse runs: `tidemark dbt --target session build`.

It is dbt's target `session`: this process is the driver, with the warehouse's own settings and catalog, which one
process at a time may open.
"""

import os
import sys
from collections.abc import Sequence

from dbt.cli.main import dbtRunner
from pyspark.sql import SparkSession

from streaming.session import classic_session, warehouse_answers
from streaming.warehouse import folder, make_folders, warehouse_conf
from tidemark import dbt
from tidemark.programs import spark_environment
from tidemark.settings import Settings
from tidemark.token_key import token_key

_SERVERS = ("spark.plugins", "spark.connect.")  # nobody else is served


def main() -> None:
    """Run dbt with the words of the command line, and exit 1 where it fails."""
    settings = Settings.load()
    if reason := refusal(settings):
        sys.exit(f"error: {reason}")
    os.environ.update(spark_environment(settings.host))
    make_folders(folder(settings))
    os.chdir(folder(settings))
    sys.exit(0 if run(settings, sys.argv[1:]) else 1)


def refusal(settings: Settings) -> str:
    """Say why this process can't have the warehouse's catalog and folders to itself; empty: it can."""
    if warehouse_answers(settings):
        return "the warehouse runs: leave out `--target session`, or stop it by `tidemark down warehouse`"
    if settings.catalog_url:
        return "the catalog is on Postgres, where the warehouse serves it: leave out `--target session`"
    return ""


def run(settings: Settings, arguments: Sequence[str]) -> bool:
    """Run dbt on a session of this process, and tell whether all went well."""
    token_key(settings)
    os.environ.update(dbt.environment(settings))
    # dbt takes the session that there is
    spark = session(settings)
    spark.conf.set("spark.sql.scripting.enabled", "true")
    return dbtRunner().invoke([*arguments]).success


def session(settings: Settings) -> SparkSession:
    """Start the driver, or join the one that this process has."""
    conf = {name: value for name, value in warehouse_conf(settings).items() if not name.startswith(_SERVERS)}
    return classic_session("tidemark-dbt", "local[2]", conf | {"spark.driver.memory": settings.warehouse_memory})


if __name__ == "__main__":
    main()
