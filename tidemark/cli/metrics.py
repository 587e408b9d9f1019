"""`tidemark metrics`"""

import logging
import signal
import threading

import typer

from tidemark.settings import Settings


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(metrics)


def metrics() -> None:
    """Serve the metrics of the lake, the services and the machine, until Ctrl+C: /metrics on TIDEMARK_METRICS_PORT."""
    # Reads Delta tables: other commands start faster without.
    from tidemark.exporter import serve

    settings = Settings.load()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("pyhive").setLevel(logging.WARNING)  # it tells of each question whether the warehouse is there
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(settings, stop)
