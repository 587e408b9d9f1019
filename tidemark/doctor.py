"""What this machine must have: each check says what it found, and where it is bad the line that fixes it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from tidemark import alertmanager_server, ports, prometheus_server, redis_server
from tidemark.check_finding import Finding
from tidemark.checkup import examine_running
from tidemark.contracts import read_contracts
from tidemark.errors import TidemarkError
from tidemark.leftovers import left_behind
from tidemark.programs import java
from tidemark.services import all_services
from tidemark.settings import ROOT, Settings, without_password
from tidemark.supervisor import Supervisor, socket_path

_GIB = 2**30
_MEMORY_GIB = 6
_DISK_GIB = 5


def examine(settings: Settings) -> list[Finding]:
    """Make all checks; none of them changes anything but an empty file in TIDEMARK_HOME, which is removed at once."""
    checks: tuple[Callable[[Settings], Finding], ...] = (
        python,
        java_17,
        maven,
        redis,
        prometheus,
        lake_environment,
        airflow_environment,
        jars,
        free_ports,
        memory,
        disk,
        writable_home,
        valid_contracts,
    )
    return [*(check(settings) for check in checks), *examine_running(settings)]


def verdict(findings: Sequence[Finding]) -> str:
    """Say in a sentence what all checks together mean."""
    bad = [finding.name for finding in findings if not finding.is_ok]
    if not bad:
        return f"all {len(findings)} checks are well"
    return f"{len(bad)} of {len(findings)} checks are bad: {', '.join(bad)}"


def python(settings: Settings) -> Finding:
    """Check that this is Python 3.11."""
    found = ".".join(map(str, sys.version_info[:3]))
    fix = "sudo apt-get install python3.11 python3.11-venv, then: make setup"
    return Finding("Python 3.11", sys.version_info[:2] == (3, 11), found, fix)


def java_17(settings: Settings) -> Finding:
    """Check that Java is there and is 17."""
    found = _first_line([java(), "-version"], saying="version ")
    fix = "sudo apt-get install openjdk-17-jdk-headless; unset JAVA_HOME or let it name that one"
    return Finding("Java 17", bool(re.search(r'version "17[."]', found)), found, fix)


def maven(settings: Settings) -> Finding:
    """Check that Maven is there, unless the jars are complete without it."""
    found = shutil.which("mvn") or "not found"
    is_ok = found != "not found" or (settings.jars / ".complete").exists()
    return Finding("Maven", is_ok, found, "sudo apt-get install maven")


def redis(settings: Settings) -> Finding:
    """Check that Redis is there, unless another one is named: without it the streams go on, to Delta alone."""
    elsewhere = without_password(settings.redis_url) if settings.redis_url else None
    found = elsewhere or redis_server.program() or "not found"
    return Finding("Redis", found != "not found", found, redis_server.INSTALL)


def prometheus(settings: Settings) -> Finding:
    """Check that Prometheus and Alertmanager are there, unless others are named: without them nothing alerts."""
    found = settings.prometheus_url or prometheus_server.program() or "not found"
    if not settings.prometheus_url and not alertmanager_server.program():
        found = "not found"
    return Finding("Prometheus, Alertmanager", found != "not found", found, prometheus_server.INSTALL)


def lake_environment(settings: Settings) -> Finding:
    """Check that we run in the lakehouse's own environment."""
    home = Path(sys.prefix)
    is_ours = sys.prefix != sys.base_prefix and (home / "bin" / "dbt").exists()
    return Finding("Environment of the lakehouse", is_ours, str(home), "make setup-streams, then .venv/bin/tidemark")


def airflow_environment(settings: Settings) -> Finding:
    """Check that Airflow's environment is there."""
    program = settings.airflow_venv / "bin" / "airflow"
    found = str(program) if program.exists() else f"{program} is not there"
    return Finding("Environment of Airflow", program.exists(), found, "make setup (streams alone do without it)")


def jars(settings: Settings) -> Finding:
    """Check that all jars were fetched."""
    is_ok = (settings.jars / ".complete").exists()
    count = len(list(settings.jars.glob("*/*.jar")))
    return Finding("Jars", is_ok, f"{count} in {settings.jars}", "make setup-streams")


def free_ports(settings: Settings) -> Finding:
    """Check that each port is free, or held by our own service."""
    running = {name for name, process in Supervisor(settings).processes().items() if process.pid}
    idle = [service for service in all_services(settings) if service.name not in running]
    wanted = [port for service in idle for port in service.ports]
    try:
        ports.require_free(settings.host, wanted, settings.port_offset)
    except TidemarkError as error:
        return Finding("Ports", is_ok=False, found=error.what, fix=error.fix)
    return Finding("Ports", is_ok=True, found=f"{len(wanted)} free; {len(running)} services of ours run", fix="")


def memory(settings: Settings) -> Finding:
    """Check that the memory suffices; what our own services hold counts as available."""
    ours = sum(_resident(process) for process in left_behind(str(socket_path(settings))))
    available = (psutil.virtual_memory().available + ours) / _GIB
    fix = "end other programs; or lower TIDEMARK_STREAMS_MEMORY and TIDEMARK_WAREHOUSE_MEMORY"
    return Finding(f"Memory, {_MEMORY_GIB} GiB", available >= _MEMORY_GIB, f"{available:.1f} GiB available", fix)


def disk(settings: Settings) -> Finding:
    """Check that the disk under TIDEMARK_HOME has room."""
    free = shutil.disk_usage(_nearest(settings.home.absolute())).free / _GIB
    fix = "make room, or set TIDEMARK_HOME to a folder on a larger disk"
    return Finding(f"Disk, {_DISK_GIB} GiB", free >= _DISK_GIB, f"{free:.1f} GiB free", fix)


def writable_home(settings: Settings) -> Finding:
    """Check that TIDEMARK_HOME, or the folder that it will be made in, can be written."""
    home = settings.home.absolute()
    is_ok = os.access(_nearest(home), os.W_OK | os.X_OK)
    return Finding("TIDEMARK_HOME", is_ok, str(home), f"sudo chown -R $USER {home}; or set TIDEMARK_HOME elsewhere")


def valid_contracts(settings: Settings) -> Finding:
    """Check that every contract is valid."""
    try:
        found = f"{len(read_contracts(settings.contracts_dir))} in {settings.contracts_dir}"
    except TidemarkError as error:
        return Finding("Contracts", is_ok=False, found=error.what, fix=error.fix)
    return Finding("Contracts", is_ok=True, found=found, fix="")


def _nearest(path: Path) -> Path:
    """Give the path itself or, until it is made, the nearest folder above that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _first_line(command: list[str], saying: str = "") -> str:
    """Give the first line of what a command writes that says something: Java may begin with what it has picked up."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    lines = (done.stdout + done.stderr).splitlines()
    return next((line for line in lines if saying in line), "")
