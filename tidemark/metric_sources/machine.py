"""The machine: room on the disks of the home and the lake, and memory."""

from datetime import datetime
from pathlib import Path

import psutil
from prometheus_client.core import GaugeMetricFamily

from tidemark.settings import Settings


class Machine:
    """The machine that the exporter runs on."""

    source = "machine"

    def __init__(self, settings: Settings) -> None:
        self._places = [settings.home.absolute(), Path(settings.lake_root)]

    def look(self, at: datetime) -> list[GaugeMetricFamily]:
        """Ask the system."""
        disks = [psutil.disk_usage(str(_there(place))) for place in self._places]
        fuller = min(disks, key=lambda disk: disk.free / disk.total)
        memory = psutil.virtual_memory()
        fuller_of = "Of the disks of the home and the lake, the fuller one."
        return [
            GaugeMetricFamily("tidemark_disk_free_bytes", fuller_of, fuller.free),
            GaugeMetricFamily("tidemark_disk_size_bytes", fuller_of, fuller.total),
            GaugeMetricFamily("tidemark_memory_available_bytes", "What programs may still take.", memory.available),
            GaugeMetricFamily("tidemark_memory_size_bytes", "All of the machine's memory.", memory.total),
        ]


def _there(place: Path) -> Path:
    """Give a folder, or the nearest one above it that is there."""
    return next(each for each in (place, *place.parents) if each.exists())
