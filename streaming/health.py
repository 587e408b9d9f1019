"""The streams' health over HTTP: `/healthz` for the supervisor, `/streams` for `tidemark status`, `/metrics`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from pyspark.sql import SparkSession

from streaming.control import Answer, Control
from streaming.host import StreamState
from streaming.listener import rate
from streaming.scrape import AtScrape
from tidemark.settings import Settings
from tidemark.status import DROPPED_LATE
from tidemark.stream_control import TOKEN


@contextmanager
def serve_health(
    settings: Settings,
    states: Sequence[StreamState],
    spark: SparkSession | None = None,
    control: Control | None = None,
) -> Iterator[None]:
    """Answer on the streams' port while the block runs; of its JVM only where a session is given."""
    scraped = AtScrape(states, spark)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, scraped.exposition())
                return
            healthy = all(state.state != "starting" for state in states)
            body = [described(state) for state in states]
            known = self.path in ("/healthz", "/streams")
            status = 404 if not known else 200 if healthy or self.path == "/streams" else 503
            self._answer(status, "application/json", json.dumps(body).encode())

        def do_POST(self) -> None:
            denied: Answer = (HTTPStatus.NOT_FOUND, "there is nothing here")
            status, text = control.answer(self.path, self.headers.get(TOKEN, "")) if control else denied
            self._answer(status, "text/plain", text.encode())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Stay silent: the supervisor asks often."""

    server = ThreadingHTTPServer((settings.host, settings.streams_port), Handler)
    Thread(target=server.serve_forever, name="health", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def described(state: StreamState) -> dict[str, Any]:
    """Describe a stream as `tidemark status` shows it."""
    if state.query is not None:
        state.listener.take(state.query)
    progress = state.query.lastProgress if state.query is not None and state.query.isActive else None
    described: dict[str, Any] = {
        "name": state.name,
        "state": state.state,
        "restarts": state.restarts,
        "last_error": state.last_error,
        "failed_at": state.failed_at and state.failed_at.isoformat(),
        "warning": state.stream.warning,
        DROPPED_LATE: state.listener.late_rows,
    }
    if progress is None:
        unknown = ("batch", "batch_seconds", "rows_per_second", "last_progress", "watermark")
        return described | dict.fromkeys(unknown)
    return described | {
        "batch": progress["batchId"],
        "batch_seconds": progress.get("batchDuration", 0) / 1000,
        "rows_per_second": round(rate(progress, "processedRowsPerSecond"), 1),
        "last_progress": progress["timestamp"],
        "watermark": progress.get("eventTime", {}).get("watermark"),
    }
