"""What unit tests may ask for."""

from pathlib import Path

import pytest


@pytest.fixture
def redis_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the machine have the programs of all optional services, installed or not; give the path of Redis'."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("redis-server", "prometheus", "prometheus-alertmanager"):
        (folder / name).touch(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder / "redis-server"
