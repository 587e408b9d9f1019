"""The log of alerts: whatever Alertmanager sends is kept in the home, a line of JSON for each message."""

import json
import logging
import sys
from collections.abc import Iterable
from http import HTTPStatus
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from tidemark.settings import Settings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/alerts"

_MOST = 2**20  # bytes of a message
# As the supervisor has it of the services' logs.
_FILE_BYTES, _OLD_FILES = 20 * 2**20, 3


def log_file(settings: Settings) -> Path:
    """Say where the log is."""
    return settings.logs / "alerts.jsonl"


def receiver_url(settings: Settings) -> str:
    """Give the address that keeps what is posted to it: the exporter's."""
    return f"http://{settings.host}:{settings.metrics_port}{PATH}"


def keeping(app: "WSGIApplication", file: Path) -> "WSGIApplication":
    """Give an application that keeps the messages posted to it; all else is for the other application."""
    file.parent.mkdir(parents=True, exist_ok=True)
    log = _Log(file, maxBytes=_FILE_BYTES, backupCount=_OLD_FILES, delay=True)

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) != ("POST", PATH):
            return app(environ, start_response)
        status = _kept(environ, log)
        start_response(f"{status.value} {status.phrase}", [])
        return []

    return answer


def _kept(environ: "WSGIEnvironment", log: logging.Handler) -> HTTPStatus:
    # No web page may send this without asking first, and nobody answers such a question.
    if environ.get("CONTENT_TYPE", "").partition(";")[0] != "application/json":
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    try:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        if not 0 <= size <= _MOST:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        message = json.loads(environ["wsgi.input"].read(size))
    except ValueError:
        return HTTPStatus.BAD_REQUEST
    try:
        log.handle(logging.makeLogRecord({"msg": json.dumps(message)}))  # in one line, whatever was posted
    except OSError:
        return HTTPStatus.INSUFFICIENT_STORAGE  # Alertmanager sends it again
    return HTTPStatus.OK


class _Log(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Let the writer know: a handler of Python's own only prints that it could not write."""
        error = sys.exception()
        if error is not None:
            raise error
