"""The local file system of our JVMs: Hadoop's, but for who sets permissions."""

import stat
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.fixture
def files(spark: SparkSession) -> Any:
    """Give what Spark, Delta and checkpoints write local files by."""
    jvm: Any = spark.sparkContext._jvm
    found = jvm.org.apache.hadoop.fs.FileSystem.get(
        jvm.java.net.URI("file:///"), spark.sparkContext._jsc.hadoopConfiguration()
    )
    assert found.getClass().getName() == "io.tidemark.LocalFiles"
    return found


def mode(path: Path) -> str:
    return stat.filemode(path.stat().st_mode)


def test_permissions_are_set_as_asked(spark: SparkSession, files: Any, tmp_path: Path) -> None:
    hadoop: Any = spark.sparkContext._jvm.org.apache.hadoop.fs  # type: ignore[union-attr]
    permission, path = hadoop.permission.FsPermission, tmp_path / "secret"
    files.create(hadoop.Path(str(path))).close()
    files.setPermission(hadoop.Path(str(path)), permission("600"))
    assert mode(path) == "-rw-------"
    files.setPermission(hadoop.Path(str(path)), permission("755"))
    assert mode(path) == "-rwxr-xr-x"
    folder = tmp_path / "shared"
    folder.mkdir()
    files.setPermission(hadoop.Path(str(folder)), permission("1777"))
    assert mode(folder) == "drwxrwxrwt"


def test_new_files_and_folders_are_the_owners_to_write(spark: SparkSession, files: Any, tmp_path: Path) -> None:
    hadoop: Any = spark.sparkContext._jvm.org.apache.hadoop.fs  # type: ignore[union-attr]
    files.mkdirs(hadoop.Path(str(tmp_path / "folder")))
    files.create(hadoop.Path(str(tmp_path / "folder" / "file"))).close()
    found = {path.name: mode(path) for path in [tmp_path / "folder", *(tmp_path / "folder").iterdir()]}
    assert found == {"folder": "drwxr-xr-x", "file": "-rw-r--r--", ".file.crc": "-rw-r--r--"}


def test_a_file_that_is_not_there_is_missed_as_hadoop_misses_it(
    spark: SparkSession, files: Any, tmp_path: Path
) -> None:
    hadoop: Any = spark.sparkContext._jvm.org.apache.hadoop.fs  # type: ignore[union-attr]
    with pytest.raises(Py4JJavaError, match="FileNotFoundException"):
        files.setPermission(hadoop.Path(str(tmp_path / "none")), hadoop.permission.FsPermission("600"))
