"""This project: the bronze stream as `streaming.run` runs it, of the format that BENCH_FORMAT names."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.contestants import serve
from streaming.session import streams_session
from streaming.streams.bronze import BronzeStream
from tidemark.contracts import read_contracts
from tidemark.settings import ROOT, Settings

BOOTSTRAP = sys.argv[1]
CONTRACT = read_contracts(ROOT / "contracts")["ride_events"].model_copy(update={"format": os.environ["BENCH_FORMAT"]})


def settings_in(folder: Path) -> Settings:
    """Give the settings of one pass."""
    return Settings(home=folder, kafka_bootstrap=BOOTSTRAP, streams_memory=os.environ["BENCH_MEMORY"])


spark = streams_session(settings_in(Path(os.environ["BENCH_FOLDER"])))
spark.sparkContext.setLogLevel("ERROR")


def stream(topic: str, folder: Path) -> BronzeStream:
    """Give the stream of a topic."""
    return BronzeStream(CONTRACT.model_copy(update={"topic": topic}), settings_in(folder))


def take(topic: str, folder: Path) -> None:
    """Take a whole topic."""
    query = stream(topic, folder).start(spark)
    query.processAllAvailable()
    query.stop()


def follow(topic: str, folder: Path) -> Callable[[], None]:
    """Keep writing a topic."""
    query = stream(topic, folder).start(spark)

    def stop() -> None:
        query.processAllAvailable()
        query.stop()

    return stop


serve(take, follow)
