"""The services: whether each answers, and how much memory it takes with all that it started."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily

from tidemark.metric_sources.part import gauge
from tidemark.services import all_services
from tidemark.settings import Settings
from tidemark.status import service_statuses
from tidemark.supervisor import Supervisor


class Services:
    """The services that these settings name, as far as they are ours."""

    source = "services"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self, at: datetime) -> list[GaugeMetricFamily]:
        """Ask each service's probe."""
        if not Supervisor(self._settings).is_alive():
            return _families(self._answers(), {})
        found = service_statuses(self._settings)
        memory = {each.name: float(each.memory_mb * 2**20) for each in found if each.memory_mb is not None}
        return _families({each.name: each.ready for each in found}, memory)

    def _answers(self) -> dict[str, bool]:
        """Ask those that somebody else supervises: each is in a container of its own."""
        services = all_services(self._settings)
        with ThreadPoolExecutor(max_workers=len(services)) as pool:
            ready = pool.map(lambda service: service.probe.ready(since=0.0), services)
            return dict(zip((service.name for service in services), ready, strict=True))


def _families(up: Mapping[str, float], memory: Mapping[str, float]) -> list[GaugeMetricFamily]:
    return [
        gauge("service_up", "1: its probe answers.", "service", up),
        gauge("service_memory_bytes", "Memory of a service with all that it started.", "service", memory),
    ]
