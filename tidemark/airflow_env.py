"""Airflow's four programs: their environment, their secrets and their database.

No secret stands in an environment or a command line. Airflow reads each from its file by a `_CMD` option, so that
a task's own processes, which inherit the environment, don't inherit Airflow's keys.
"""

import base64
import hashlib
import json
import os
import secrets
import shlex
import subprocess
from functools import partial
from importlib.metadata import distributions
from pathlib import Path

from tidemark.dbt_manifest import write_manifest
from tidemark.errors import TidemarkError
from tidemark.private_files import private_folder, written_once
from tidemark.programs import search_path
from tidemark.settings import ROOT, Settings

ADMIN = "admin"
POOL = "lakehouse"

_PARALLELISM = 4  # tasks at a time, of which the pool leaves one to those that only look
_KEYS = {"CORE__FERNET_KEY": 32, "API__SECRET_KEY": 32, "API_AUTH__JWT_SECRET": 64}  # bytes of each
_CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def folder(settings: Settings) -> Path:
    """Say where Airflow keeps its state."""
    return settings.home.absolute() / "airflow"


def airflow_program(settings: Settings) -> str:
    """Say where Airflow's command line is."""
    return str(settings.airflow_venv.absolute() / "bin" / "airflow")


def airflow_url(settings: Settings) -> str:
    """Give the address of Airflow's UI and REST API."""
    return f"http://{settings.host}:{settings.airflow_port}"


def password_file(settings: Settings) -> Path:
    """Say where the admin's generated password is."""
    return folder(settings) / "simple_auth_manager_passwords.json.generated"


def airflow_environment(settings: Settings) -> dict[str, str]:
    """Give the environment of all four programs.

    An AIRFLOW__DATABASE__SQL_ALCHEMY_CONN of the caller passes through, or one with _CMD behind it, a command that
    prints it: so its password stands in a file alone. Without one Airflow takes SQLite in its folder.
    """
    options = {f"AIRFLOW__{name}": str(value) for name, value in _options(settings).items()}
    keys = {f"AIRFLOW__{name}_CMD": shlex.join(["cat", str(_key_file(settings, name))]) for name in _KEYS}
    return options | keys | _surroundings(settings)


def prepare(settings: Settings) -> None:
    """Make the secrets once, bring the database to this version of Airflow, and write what its tasks are made from.

    Raises:
        TidemarkError: Airflow's environment is missing, or the migration failed.
    """
    if not Path(airflow_program(settings)).exists():
        raise TidemarkError(f"{settings.airflow_venv}: Airflow's environment is not there", "make setup")
    make_secrets(settings)
    migrate(settings)
    write_manifest(settings)


def make_secrets(settings: Settings) -> None:
    """Make Airflow's keys and the admin's password, once."""
    private_folder(folder(settings))
    for name, size in _KEYS.items():
        written_once(_key_file(settings, name), partial(_new_key, size))
    written_once(password_file(settings), lambda: json.dumps({ADMIN: secrets.token_urlsafe(16)}) + "\n")


def admin_password(settings: Settings) -> str:
    """Give the admin's password.

    Raises:
        TidemarkError: Airflow was never started here.
    """
    try:
        return str(json.loads(password_file(settings).read_text(encoding="utf-8"))[ADMIN])
    except FileNotFoundError:
        raise TidemarkError(f"{password_file(settings)}: there is no such file", "start Airflow: make up") from None


def _options(settings: Settings) -> dict[str, object]:
    url = airflow_url(settings)
    return {
        "CORE__DAGS_FOLDER": ROOT / "dags",
        "CORE__PLUGINS_FOLDER": ROOT / "dags" / "plugins",
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": _PARALLELISM,
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": password_file(settings),
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        # Its default asks the name server for this machine's full name, which can take seconds or fail.
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        # A task whose process is gone is tried again after so many seconds, not after five minutes.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 60,
        # So is what a scheduler that was killed had begun: the next one does not take it for its own before.
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 60,
        # The end of a task that comes between two looks is seen at the next one, by default after five seconds. Where
        # the task was only put aside meanwhile and is due again, the scheduler takes its end for a failure.
        "WORKERS__MIN_HEARTBEAT_INTERVAL": 1,
        "API__HOST": settings.host,
        "API__PORT": settings.airflow_port,
        "API__BASE_URL": url,
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 30,
        "DAG_PROCESSOR__REFRESH_INTERVAL": 30,  # a new file in dags/ is seen within half a minute, not five
        "DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": folder(settings) / "bundles",
        "LOGGING__BASE_LOG_FOLDER": folder(settings) / "logs",
        "LOGGING__COLORED_CONSOLE_LOG": False,
        "LOGGING__WORKER_LOG_SERVER_PORT": settings.airflow_log_port,
        "LOGGING__TRIGGER_LOG_SERVER_PORT": settings.airflow_trigger_log_port,
        "METRICS__STATSD_ON": False,
        "METRICS__OTEL_ON": False,
        "TRACES__OTEL_ON": False,
        "USAGE_DATA_COLLECTION__ENABLED": False,
    }


def _surroundings(settings: Settings) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(folder(settings)),
        "PATH": search_path(settings.airflow_venv.absolute() / "bin"),
        "PYTHONPATH": str(ROOT),  # the DAGs import tidemark's pure parts
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "COLUMNS": "160",  # a log is no terminal: the tables in it would be made to fit into 80
        # Airflow renames its processes; by default that overwrites /proc/<pid>/environ, by which `down` knows ours.
        "SPT_NOENV": "1",
        "DO_NOT_TRACK": "true",
    }


def _key_file(settings: Settings, name: str) -> Path:
    return folder(settings) / f".{name.lower()}"


def _new_key(size: int) -> str:
    # Fernet wants exactly 32 bytes in URL-safe base 64 with its padding, which token_urlsafe drops.
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).decode()


def migrate(settings: Settings) -> None:
    """Run `airflow db migrate`, unless it has run for this version and this database.

    Raises:
        TidemarkError: it failed.
    """
    connection = os.environ.get(_CONNECTION, "") or os.environ.get(f"{_CONNECTION}_CMD", "")
    mark = f"{_version(settings)} {hashlib.sha256(connection.encode()).hexdigest()[:12]}\n"
    marker = folder(settings) / ".migrated"
    there = bool(connection) or (folder(settings) / "airflow.db").exists()
    if there and marker.exists() and marker.read_text(encoding="utf-8") == mark:
        return
    for words in (["db", "migrate"], ["pools", "set", POOL, str(_PARALLELISM - 1), "What works on the lakehouse."]):
        environment = os.environ | airflow_environment(settings)
        command = [airflow_program(settings), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
            what = f"Airflow's database could not be prepared: {' '.join(words)}:\n{last}"
            raise TidemarkError(what, "mend what the lines above say")
    marker.write_text(mark, encoding="utf-8")


def _version(settings: Settings) -> str:
    places = [str(place) for place in settings.airflow_venv.absolute().glob("lib/python3*/site-packages")]
    return next((found.version for found in distributions(name="apache-airflow", path=places)), "unknown")
