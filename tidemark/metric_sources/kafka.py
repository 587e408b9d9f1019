"""Kafka: how far each stream is behind its topics, and when a record may be forgotten before it was proven."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily

from tidemark.certificates import Tidemark
from tidemark.contracts import Contract
from tidemark.kafka_times import RecordTimes
from tidemark.ledger import Ledger, ends
from tidemark.metric_sources.audits import tidemarks
from tidemark.metric_sources.part import gauge
from tidemark.metric_sources.versions import OfVersion
from tidemark.settings import Settings
from tidemark.stream_looks import Ends, Positions, begun_streams, checkpoint_positions, lag_of
from tidemark.topics import Bounds, Topics, UnknownTopic

Behind = dict[tuple[str, str], float]


class Kafka:
    """Every topic that a stream reads."""

    source = "kafka"

    def __init__(self, settings: Settings, contracts: Mapping[str, Contract]) -> None:
        self._settings = settings
        self._contracts = contracts
        self._topics = Topics(settings.bootstrap)
        self._proven = tidemarks(settings, list(contracts))
        self._times = RecordTimes(settings.bootstrap)
        self._landed = {each.bronze_query: self._ledger_of(each) for each in contracts.values()}

    def look(self, at: datetime) -> list[GaugeMetricFamily]:
        """Ask Kafka for the ends of the topics.

        Raises:
            TidemarkError: Kafka does not answer.
        """
        taken = self._taken()
        topics = self._bounds({topic for positions in taken.values() for topic in positions})
        return families(behind(taken, topics), dict(self._expiries(topics)))

    def _taken(self) -> dict[str, Positions]:
        """Say what each stream that has begun has taken: of bronze the ledger knows, of others the checkpoint."""
        begun = (name for name in begun_streams(self._settings) if name not in self._landed)
        others = {name: checkpoint_positions(self._settings.checkpoint(name)) for name in begun}
        return {name: landed.get() for name, landed in self._landed.items()} | others

    def _bounds(self, names: set[str]) -> Ends:
        found: dict[str, dict[int, Bounds]] = {}
        for name in sorted(names):
            try:
                found[name] = self._topics.bounds(name)
            except UnknownTopic:
                continue
        return found

    def _expiries(self, topics: Ends) -> Iterator[tuple[str, float]]:
        proven = self._proven.get()
        for contract in self._contracts.values():
            pending = first_unproven(proven.get(contract.id), topics.get(contract.topic, {}))
            retention = self._retention(contract.topic) if pending else None
            times = [self._times.at(contract.topic, *each) for each in pending.items()] if retention else []
            known = [time for time in times if time is not None]
            if known and retention:
                yield contract.id, min(known) + retention

    def _retention(self, topic: str) -> float | None:
        """Give for how many seconds a topic keeps a record; None: for ever."""
        config = self._topics.config(topic)
        milliseconds = int(config["retention.ms"])
        return milliseconds / 1000 if milliseconds >= 0 and "delete" in config["cleanup.policy"] else None

    def _ledger_of(self, contract: Contract) -> OfVersion[Positions]:
        ledger = Ledger(self._settings.table("bronze", contract.id))

        def read() -> Positions:
            newest = ledger.newest_ingest()
            return {contract.topic: ends(newest.label.ranges) if newest and newest.label else {}}

        return OfVersion(ledger.table, read)


def families(behind: Behind, expiries: Mapping[str, float]) -> list[GaugeMetricFamily]:
    """Give the gauges of what was found."""
    what = "When Kafka may forget the first offset that is not proven."
    return [
        gauge("stream_behind_offsets", "Offsets behind the topic's end.", ("stream", "topic"), behind),
        gauge("source_expires_timestamp_seconds", what, "contract", expiries),
    ]


def behind(taken: Mapping[str, Positions], topics: Ends) -> Behind:
    """Count for each stream and topic the offsets that it has not taken; a topic that is gone has none."""
    found: Behind = {}
    for stream, positions in taken.items():
        for topic, of_topic in positions.items():
            lag = lag_of({topic: of_topic}, topics)
            if lag is not None:
                found[stream, topic] = lag
    return found


def first_unproven(mark: Tidemark | None, bounds: Mapping[int, Bounds]) -> dict[int, int]:
    """Give the first offset of each partition that is not proven, where there is one; what was forgotten is past."""
    proven = {each.partition: each.tidemark for each in mark.partitions} if mark else {}
    first = {partition: max(proven.get(partition, 0), each.low) for partition, each in bounds.items()}
    return {partition: offset for partition, offset in first.items() if offset < bounds[partition].last_stable}
