"""The archive of classes that set-up makes."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from streaming.session import class_archive
from tidemark.settings import Settings

pytestmark = pytest.mark.spark


def test_a_driver_starts_from_the_archived_classes(spark: SparkSession) -> None:
    gateway = spark.sparkContext._gateway
    assert gateway
    mapped = Path(f"/proc/{gateway.proc.pid}/maps").read_text()
    assert str(class_archive(Settings.load())) in mapped
