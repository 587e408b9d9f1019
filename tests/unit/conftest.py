"""What unit tests may ask for."""

from pathlib import Path

import pytest


@pytest.fixture
def redis_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the machine have Redis' program, whether it is installed or not; give its path."""
    program = tmp_path / "bin" / "redis-server"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return program
