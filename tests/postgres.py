"""A real Postgres for tests, of Debian's package: a user with a password, on a free port, in a folder of its own."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from tests.kafka import dies_with_us, free_ports
from tests.streams import wait_until

PASSWORD = "it's a \\ secret"  # noqa: S105 (of a server that lives as long as the tests)
USER = "tidemark"

_ACCOUNT = "postgres"  # the package's: its programs refuse to run as root
_READY_SECONDS = 30


class Postgres:
    """One server."""

    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        self.password_file = folder / "password"
        self.password_file.write_text(f"{PASSWORD}\n")
        self._folder, self._data = folder, folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._programs = max(Path("/usr/lib/postgresql").glob("*/bin"))

    def start(self) -> None:
        """Make the server's files, start it and wait until it answers."""
        if os.getuid() == 0:
            shutil.chown(self._folder, _ACCOUNT)
            shutil.chown(self.password_file, _ACCOUNT)
        words = ("-D", self._data, "-U", USER, "--auth", "scram-sha-256", "--pwfile", self.password_file, "--no-sync")
        subprocess.run([*self._as_account(), self._programs / "initdb", *words], check=True, capture_output=True)
        words = ("-D", self._data, "-p", str(self.port), "-h", "127.0.0.1", "-k", self._folder, "-F")
        with (self._folder / "log").open("ab") as log:
            # In this order: who becomes another user forgets whom it dies with.
            command = [*self._as_account(), *dies_with_us(), *map(str, (self._programs / "postgres", *words))]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(lambda: self._ask("postgres", "select 1").returncode == 0, _READY_SECONDS, "Postgres answers")

    def stop(self) -> None:
        """Stop the server, whoever is still connected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)

    def database(self, name: str) -> str:
        """Make a database and give its address without the password."""
        assert self._ask("postgres", f"create database {name}").returncode == 0
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def sql(self, database: str, statement: str) -> list[str]:
        """Run a statement and give its lines."""
        done = self._ask(database, statement)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def _ask(self, database: str, statement: str) -> subprocess.CompletedProcess[str]:
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database)
        command = [str(self._programs / "psql"), *where, "-XAtc", statement]
        own = os.environ | {"PGPASSWORD": PASSWORD}
        return subprocess.run(command, env=own, capture_output=True, text=True, check=False)

    def _as_account(self) -> list[str]:
        return ["setpriv", "--reuid", _ACCOUNT, "--regid", _ACCOUNT, "--clear-groups"] if os.getuid() == 0 else []


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a server; stop it at the end and remove its data."""
    folder = Path(mkdtemp())  # pytest's own folders are closed to the account that it runs under
    server = Postgres(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
