"""The streams' health over HTTP: `/healthz` for the supervisor, `/streams` for `tidemark status`, `/metrics`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streaming.host import StreamState
from tidemark.settings import Settings
from tidemark.status import DROPPED_LATE


@contextmanager
def serve_health(settings: Settings, states: Sequence[StreamState]) -> Iterator[None]:
    """Answer on the streams' port while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
                return
            healthy = all(state.state != "starting" for state in states)
            body = [described(state) for state in states]
            known = self.path in ("/healthz", "/streams")
            status = 404 if not known else 200 if healthy or self.path == "/streams" else 503
            self._answer(status, "application/json", json.dumps(body).encode())

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
        state.late.take(state.query)
    progress = state.query.lastProgress if state.query is not None and state.query.isActive else None
    described: dict[str, Any] = {
        "name": state.name,
        "state": state.state,
        "restarts": state.restarts,
        "last_error": state.last_error,
        "warning": state.stream.warning,
        DROPPED_LATE: state.late.count,
    }
    if progress is None:
        unknown = ("batch", "batch_seconds", "rows_per_second", "behind", "last_progress", "watermark")
        return described | dict.fromkeys(unknown)
    behind = [int(source["metrics"].get("maxOffsetsBehindLatest", 0)) for source in progress["sources"]]
    return described | {
        "batch": progress["batchId"],
        "batch_seconds": progress.get("batchDuration", 0) / 1000,
        "rows_per_second": round(progress.get("processedRowsPerSecond") or 0.0, 1),
        "behind": max(behind, default=0),
        "last_progress": progress["timestamp"],
        "watermark": progress.get("eventTime", {}).get("watermark"),
    }
