"""Where the programs are that we start: Java as everything on this machine finds it, Spark only as our lock pins it."""

import importlib.util
import os
import sys
from pathlib import Path


def java() -> str:
    """Give the Java that Spark's own scripts would take: JAVA_HOME's, else the one on PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"


def spark_home() -> str:
    """Give the folder of the pinned Spark. It is found without importing it: that would load an engine."""
    spec = importlib.util.find_spec("pyspark")
    places = spec.submodule_search_locations if spec else None
    return str(places[0]) if places else ""


def spark_environment(host: str) -> dict[str, str]:
    """Give what a Spark process needs: the pinned Spark whatever this machine's SPARK_HOME names, and our address."""
    spark = {"SPARK_HOME": spark_home(), "SPARK_LOCAL_IP": host, "PYSPARK_PYTHON": sys.executable}
    # The C library keeps what threads give back, by default in eight heaps for each processor (ADR 15).
    return spark | {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}


def search_path(*first: Path) -> str:
    """Give PATH with some folders in front."""
    return os.pathsep.join([*map(str, first), os.environ.get("PATH", os.defpath)])
