"""log_errors on real Kafka, Spark and Delta: rates and top messages are those of plain Python."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from streaming.health import described
from streaming.host import StreamState
from streaming.speed import SpeedStream
from streaming.streams.log_errors import LOG_ERRORS
from tests.kafka import Broker
from tests.log_lines import MINUTE, Line, Rate, in_order, lines, rates_by_hand
from tests.streams import contract_on, send, settings_in

pytestmark = pytest.mark.services


class Platform:
    """The stream with a topic of its own, and what was logged."""

    def __init__(self, home: Path, broker: Broker, spark: SparkSession) -> None:
        self._broker = broker
        self._spark = spark
        self._contract = contract_on("app_logs", home / "contracts", broker.topic(partitions=2))
        self._settings = settings_in(home, broker)
        self._random = Random(11)
        self.now = datetime.now(UTC).replace(microsecond=0)

    def log(self, count: int, minutes_ago: int, within: timedelta = MINUTE) -> Sequence[Line]:
        """Send good lines of some minutes, and as many bad ones."""
        logged = lines(self._random, count, 12, self.now - minutes_ago * MINUTE, within)
        good = [
            {
                "log_id": f"{line.at}",
                "service": line.service,
                "level": line.level,
                "message": line.message,
                "timestamp": line.at.isoformat(),
            }
            for line in logged
        ]
        send(self._broker, self._contract.topic, [json.dumps(each).encode() for each in good])
        send(self._broker, self._contract.topic, [json.dumps(each | {"level": "LOUD"}).encode() for each in good])
        return logged

    @contextmanager
    def running(self) -> Iterator[StreamState]:
        layer = replace(LOG_ERRORS, trigger_seconds=0)
        stream = SpeedStream(layer, {"app_logs": self._contract}, self._settings)
        state = StreamState(stream, "running", query=stream.start(self._spark))
        assert state.query
        try:
            yield state
        finally:
            state.query.stop()

    def landed(self, state: StreamState) -> Sequence[Rate]:
        """Let the stream take everything there is; give the table."""
        assert state.query
        state.query.processAllAvailable()
        rows = DeltaTable(self._settings.table("speed", "log_errors")).to_pyarrow_table()
        return in_order(rows.drop_columns(["is_final", "updated_at"]).to_pylist())


def test_rates_are_exact_over_a_restart_and_late_lines_change_none(
    tmp_path: Path, kafka: Broker, spark: SparkSession
) -> None:
    platform = Platform(tmp_path, kafka, spark)
    logged = [*platform.log(300, minutes_ago=6, within=5 * MINUTE)]
    with platform.running() as state:
        assert platform.landed(state) == rates_by_hand(logged)
    logged += platform.log(300, minutes_ago=6, within=5 * MINUTE)
    with platform.running() as state:
        due = rates_by_hand(logged)
        assert platform.landed(state) == due
        assert {len(rate["top_messages"]) for rate in due} >= {5}
        late = platform.log(30, minutes_ago=30)
        assert platform.landed(state) == due
        dropped = {
            (line.service, line.at.replace(second=0, microsecond=0), said) for line in late for said in counted_as(line)
        }
        assert described(state)["numRowsDroppedByWatermark"] == len(dropped) > 10


def counted_as(line: Line) -> Sequence[str]:
    return ["", line.said] if line.level in ("ERROR", "FATAL") else [""]
