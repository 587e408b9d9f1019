"""The warehouse's catalog: names of tables and where they are. All of it can be made again from the lake."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tidemark import dbt, lifecycle
from tidemark.errors import TidemarkError
from tidemark.names import quoted
from tidemark.probes import WarehouseProbe, thrift_transport
from tidemark.settings import Settings
from tidemark.waiting import Say

LAYERS = ("bronze", "quarantine", "speed", "ops", "silver", "gold")

_WAREHOUSE = "warehouse"
_LAST_LINES = 20


def made_again(settings: Settings, say: Say) -> int:
    """Make all tables of the lake known to the warehouse, which is started if it doesn't run; count them.

    A catalog that names tables of another lake is moved aside: it would send whoever asks it there.

    Raises:
        TidemarkError: the warehouse does not start, or a table can't be registered.
    """
    _started(settings, say)
    elsewhere = _other_lake(settings)
    if elsewhere:
        say(f"the catalog is that of another lake, {elsewhere}")
        _begun_anew(settings, say)
    command = dbt.command(["run-operation", "register_lake"])
    environment = os.environ | dbt.environment(settings)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-_LAST_LINES:])
        raise TidemarkError(f"the lake's tables could not be registered:\n{last}", "mend what the lines above say")
    return sum(len(_rows(settings, f"show tables in {quoted(schema)}")) for schema in LAYERS)


def _started(settings: Settings, say: Say) -> None:
    if not WarehouseProbe(settings.host, settings.thrift_port, settings.connect_port).ready(since=0.0):
        lifecycle.up(settings, _WAREHOUSE, say)
    lake = _rows(settings, "set spark.tidemark.lake")[0][1]
    if lake != settings.lake_root:
        what = f"the warehouse on port {settings.thrift_port} is that of another lake, {lake}"
        raise TidemarkError(what, "stop it; or move our ports: TIDEMARK_PORT_OFFSET=100")


def _other_lake(settings: Settings) -> str:
    """Give where the catalog has its first schema, if that is not in this lake."""
    known = {row[0] for row in _rows(settings, "show databases")}
    for schema in (each for each in LAYERS if each in known):
        described = {row[0]: row[1] for row in _rows(settings, f"describe database {quoted(schema)}")}
        place = unquote(urlsplit(described["Location"]).path)
        return "" if place == f"{settings.lake_root}/{schema}" else place.removesuffix(f"/{schema}")
    return ""


def _begun_anew(settings: Settings, say: Say) -> None:
    store = settings.home.absolute() / "warehouse" / "metastore_db"
    if not store.exists():
        fix = "give this lake a catalog of its own, or move the tables there"
        raise TidemarkError("the catalog is not this home's own: it is left as it is", fix)
    lifecycle.down(settings, _WAREHOUSE, say)
    aside = Path(f"{store}.{datetime.now(UTC):%Y%m%dT%H%M%S}")
    store.rename(aside)
    say(f"moved {store} to {aside.name}")
    lifecycle.up(settings, _WAREHOUSE, say)


def _rows(settings: Settings, statement: str) -> list[tuple[str, ...]]:
    """Run a statement; the transport has no time limit, since the first one makes the catalog."""
    from pyhive import hive  # type: ignore[import-untyped]

    transport = thrift_transport(settings.host, settings.thrift_port, None)
    with hive.connect(thrift_transport=transport, username="tidemark") as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return list(cursor.fetchall())
