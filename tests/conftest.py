"""What every test may ask for."""

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from tests.kafka import Broker, running_broker
from tidemark.settings import Settings

# Of every JVM that tests start: the second compiler costs a third of what a minute's work takes. Without
# it, Java makes room for a fifth of the code, and a driver of all streams dies of it.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Run one real broker for the whole session; it starts when the first test asks for it."""
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Run the streams' own kind of driver for the whole session; it starts when the first test asks for it."""
    from streaming.session import streams_session

    session = streams_session(Settings(home=tmp_path_factory.mktemp("spark"), streams_memory="1g"))
    yield session
    session.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest begin: of two workers, none shall be left with one of them at the end."""
    order = {name: number for number, name in enumerate(("e2e", "services", "spark", "unit"))}
    items.sort(key=lambda item: order.get(item.path.parent.name, len(order)))
