"""The exporter: what the lake, Kafka, Airflow, the services and the machine tell from outside, for Prometheus.

Each source has a thread that looks every 15 seconds; a scrape gets what the newest looks found, and waits for none.
Beside that it keeps the alerts that are sent (`alert_log`).
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tidemark import alert_log
from tidemark.contracts import Contract, read_contracts
from tidemark.metric_sources.airflow import Airflow
from tidemark.metric_sources.audits import Gates, Incidents, Proofs, Reconciles
from tidemark.metric_sources.checkpoints import Checkpoints
from tidemark.metric_sources.kafka import Kafka
from tidemark.metric_sources.machine import Machine
from tidemark.metric_sources.part import Part, gauge
from tidemark.metric_sources.services import Services
from tidemark.metric_sources.tables import Tables
from tidemark.settings import Settings

log = logging.getLogger(__name__)

_EVERY_SECONDS = 15.0
_END_SECONDS = 2.0


def serve(settings: Settings, stop: threading.Event) -> None:
    """Look and answer until somebody stops it."""
    exporter = Exporter(all_parts(settings, read_contracts(settings.contracts_dir)))
    registry = CollectorRegistry()
    registry.register(exporter)
    ProcessCollector(registry=registry)
    server, answering = start_http_server(settings.metrics_port, settings.host, registry)
    server.set_app(alert_log.keeping(make_wsgi_app(registry), alert_log.log_file(settings)))
    threads = [
        threading.Thread(target=exporter.follow, args=(source, stop), name=source, daemon=True)
        for source in exporter.sources
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    server.shutdown()
    until = time.monotonic() + _END_SECONDS
    for thread in (answering, *threads):  # not for ever: one may wait for somebody who does not answer
        thread.join(max(0.0, until - time.monotonic()))


def all_parts(settings: Settings, contracts: Mapping[str, Contract]) -> list[Part]:
    """List all that is looked at, those of a source together."""
    lake: list[Part] = [Proofs(settings, list(contracts)), Gates(settings), Reconciles(settings), Incidents(settings)]
    lake += [Tables(settings), Checkpoints(settings, contracts)]
    return [*lake, Kafka(settings, contracts), Airflow(settings), Services(settings), Machine(settings)]


class Exporter(Collector):
    """Keeps what the newest look at each part found."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.sources = {source: list(of_source) for source, of_source in groupby(parts, lambda part: part.source)}
        self._found: dict[Part, list[GaugeMetricFamily]] = {}
        # One that can't be looked at from the first is old as soon as others are.
        self._looked = dict.fromkeys(self.sources, datetime.now(UTC).timestamp())
        self._problems: dict[Part, str] = {}

    def follow(self, source: str, stop: threading.Event) -> None:
        """Look at a source again and again."""
        while not stop.is_set():
            self.look(source)
            stop.wait(_EVERY_SECONDS)

    def look(self, source: str) -> None:
        """Look at a source once; a part that fails stays as it was."""
        at = datetime.now(UTC)
        went_well = [self._look(part, at) for part in self.sources[source]]
        if all(went_well):
            self._looked[source] = at.timestamp()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Tell what was found last."""
        for found in list(self._found.values()):
            yield from found
        what = "When this source was last looked at with success."
        yield gauge("look_timestamp_seconds", what, "source", dict(self._looked))

    def _look(self, part: Part, at: datetime) -> bool:
        try:
            self._found[part] = part.look(at)
        except Exception as error:  # noqa: BLE001 - whatever a look raises, others go on
            problem = f"{type(error).__name__}: {error}"
            if self._problems.get(part) != problem:  # said once, not every 15 seconds
                log.warning("%s: can't look at %s: %s", part.source, type(part).__name__.lower(), problem)
            self._problems[part] = problem
            return False
        if self._problems.pop(part, None):
            log.info("%s: looks at %s again", part.source, type(part).__name__.lower())
        return True
