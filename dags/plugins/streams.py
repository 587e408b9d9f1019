"""The Streams page of Airflow's UI: every stream and table as it is now, for whoever is logged in to Airflow.

It reads what others have found: the streams' own health page, and the last look of `tidemark watch`.
"""

import json
from pathlib import Path
from typing import Any, ClassVar

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse

from tidemark.probes import fetched
from tidemark.settings import ROOT, Settings

_SETTINGS = Settings.load()
_FILES = Path(__file__).with_name("streams_page")
_DOCS = {name: _SETTINGS.home.absolute() / "docs" / name for name in ("quality", "dbt")}
_NO_SCRIPTS = {"Content-Security-Policy": "script-src 'none'"}  # the quality pages have values that came from outside

# No pages of its own on what it offers: those would ask for no login.
app = FastAPI(title="Streams", openapi_url=None, dependencies=[Depends(requires_access_view(AccessView.WEBSITE))])


@app.get("/")
def page() -> FileResponse:
    """Give the page."""
    return _file(_FILES, "index.html")


@app.get("/data")
def data() -> dict[str, Any]:
    """Give what the streams say now, and what the last look found; null: nobody has looked yet."""
    said = fetched(f"http://{_SETTINGS.host}:{_SETTINGS.streams_port}/streams")
    return {"streams": said if isinstance(said, list) else [], "look": _last_look()}


@app.get("/files/{name}")
def file(name: str) -> FileResponse:
    """Give a part of the page."""
    return _file(_FILES, name)


@app.get("/runbooks/{name}")
def runbook(name: str) -> FileResponse:
    """Give a runbook as plain text."""
    return _file(ROOT / "docs" / "runbooks", name, media_type="text/plain; charset=utf-8")


@app.get("/docs/{site}/{path:path}")
def docs(site: str, path: str) -> FileResponse:
    """Give a page of the quality site or of dbt's documentation."""
    if site not in _DOCS:
        raise HTTPException(404)
    return _file(_DOCS[site], path, headers=_NO_SCRIPTS if site == "quality" else None)


def _file(folder: Path, name: str, **how: Any) -> FileResponse:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise HTTPException(404, f"there is no {name}")
    return FileResponse(path, **how)


def _last_look() -> Any:
    try:
        return json.loads((_SETTINGS.run / "watch.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


class StreamsPlugin(AirflowPlugin):
    """The page itself, and the same below an asset, of its table alone."""

    name = "streams"
    fastapi_apps: ClassVar = [{"app": app, "url_prefix": "/streams", "name": "Streams"}]
    external_views: ClassVar = [
        {
            "name": "Streams",
            "href": "streams/",
            "destination": "nav",
            "url_route": "streams",
            "nav_top_level": True,
            "icon": "streams/files/icon.svg",
        },
    ]
    react_apps: ClassVar = [
        {
            "name": "StreamsOfAsset",
            "bundle_url": "streams/files/asset.js",
            "destination": "base",
            "url_route": "streams-of-asset",
        },
    ]
