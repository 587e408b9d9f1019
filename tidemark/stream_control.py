"""Ask the streams' process to restart one of its streams, while the others go on."""

from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from tidemark.errors import TidemarkError
from tidemark.settings import Settings

TOKEN = "X-Tidemark-Token"  # noqa: S105 (the header's name)

_PATIENCE = 120.0  # seconds: the micro-batch finishes first
_DIRECT = build_opener(ProxyHandler({}))


def token_file(settings: Settings) -> Path:
    """Say where the token is that such a request needs: who may read it may ask."""
    return settings.run / "streams.token"


def restart_stream(settings: Settings, name: str) -> str:
    """Restart one stream by its contract of now; give what its process says.

    Raises:
        TidemarkError: the process does not answer, or it says why it did not.
    """
    try:
        token = token_file(settings).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TidemarkError("the streams never ran here", "tidemark up streams") from None
    url = f"http://{settings.host}:{settings.streams_port}/streams/{quote(name, safe='')}/restart"
    request = Request(url, method="POST", headers={TOKEN: token})
    try:
        with _DIRECT.open(request, timeout=_PATIENCE) as answer:
            return str(answer.read().decode())
    except HTTPError as error:
        what, _, fix = error.read().decode().partition("\n")
        raise TidemarkError(what, fix) from None
    except (URLError, OSError) as error:
        raise TidemarkError(f"the streams' process does not answer: {error}", "tidemark up streams") from None
