"""`tidemark logs`: the end of a service's log, and what it still writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidemark.services import log_file
from tidemark.settings import Settings

pytestmark = pytest.mark.unit


def logs(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `tidemark logs` in a home."""
    command = [sys.executable, "-m", "tidemark", "logs", *arguments]
    pipe = subprocess.PIPE
    own = os.environ | {"TIDEMARK_HOME": str(home)}
    return subprocess.Popen(command, env=own, stdout=pipe, stderr=pipe, text=True)


def test_a_log_is_followed_over_its_rotation(tmp_path: Path) -> None:
    log = log_file(Settings(home=tmp_path), "kafka")
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\nthree\n")
    with logs(tmp_path, "kafka", "-f", "-n", "2") as process:
        assert process.stdout is not None
        try:
            assert [process.stdout.readline() for _ in range(2)] == ["two\n", "three\n"]
            log.rename(log.with_suffix(".log.1"))
            log.write_text("four\n")
            assert process.stdout.readline() == "four\n"
        finally:
            process.terminate()


def test_a_service_that_there_is_not_is_refused_by_name(tmp_path: Path) -> None:
    with logs(tmp_path, "kafak") as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1 and "found 'kafak'" in errors
