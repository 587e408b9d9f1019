"""dbt's project, where its state is, and what it says that the project has: Airflow's tasks are made from that."""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from tidemark.contracts import read_contracts
from tidemark.errors import TidemarkError
from tidemark.settings import ROOT, Settings

PROJECT = ROOT / "dbt_project"


def places(settings: Settings) -> dict[str, str]:
    """Give the variables that keep dbt's state under the home, and that say which contracts it has models of."""
    return {
        "TIDEMARK_DBT_CONTRACTS": " ".join(read_contracts(settings.contracts_dir)),
        "DBT_TARGET_PATH": str(_state(settings) / "target"),
        "DBT_LOG_PATH": str(settings.logs / "dbt"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def manifest(settings: Settings) -> Path:
    """Say where it stands what the project has; Airflow's tasks are made from it."""
    return _state(settings) / "project" / "manifest.json"


def write_manifest(settings: Settings) -> None:
    """Have dbt write its manifest, unless it is newer than all of the project and the contracts.

    Raises:
        TidemarkError: dbt finds the project faulty.
    """
    written = manifest(settings)
    contracts = settings.contracts_dir
    files = [*(path for path in PROJECT.rglob("*") if path.is_file()), contracts, *contracts.glob("*.yaml")]
    newest = max(path.stat().st_mtime for path in files)
    if written.exists() and written.stat().st_mtime > newest:
        return
    own = {"DBT_PROJECT_DIR": str(PROJECT), "DBT_PROFILES_DIR": str(PROJECT)} | places(settings)
    written.parent.mkdir(parents=True, exist_ok=True)
    # dbt writes it piece by piece, at every run: whoever reads it meanwhile finds half of it.
    with TemporaryDirectory(dir=_state(settings)) as folder:
        command = [program(), "parse", "--target-path", folder]
        done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
        if done.returncode:
            raise TidemarkError(f"dbt can't read its project:\n{done.stdout[-2000:]}", "mend what the lines above say")
        Path(folder, "manifest.json").rename(written)


def program() -> str:
    """Say where the lakehouse's own dbt is, whoever asks: Airflow has another environment."""
    return str(ROOT / ".venv" / "bin" / "dbt")


def _state(settings: Settings) -> Path:
    return settings.home.absolute() / "dbt"
