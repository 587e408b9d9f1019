"""The Operations page of Airflow's UI: what alerts, and Grafana's graphs, for whoever is logged in to Airflow.

It asks Prometheus for the panels of one list and nothing else: a browser names a panel, never a query.
"""

from pathlib import Path
from typing import Any, ClassVar

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse

from tidemark.panels import BY_KEY, PANELS
from tidemark.prometheus_api import DEFAULT, MINUTES, PrometheusAway, charted, firing
from tidemark.settings import Settings

_SETTINGS = Settings.load()
_FILES = {path.name: path for path in Path(__file__).with_name("operations_page").iterdir()}

# No pages of its own on what it offers: those would ask for no login.
app = FastAPI(title="Operations", openapi_url=None, dependencies=[Depends(requires_access_view(AccessView.WEBSITE))])


@app.get("/")
def page() -> FileResponse:
    """Give the page."""
    return file("index.html")


@app.get("/files/{name}")
def file(name: str) -> FileResponse:
    """Give a part of the page."""
    if name not in _FILES:
        raise HTTPException(404, f"there is no {name}")
    return FileResponse(_FILES[name])


@app.get("/panels")
def panels() -> dict[str, Any]:
    """Give the list of charts."""
    listed = [{"key": each.key, "section": each.section, "title": each.title, "unit": each.unit} for each in PANELS]
    return {"minutes": MINUTES, "shown": DEFAULT, "panels": listed}


@app.get("/panels/{key}")
def panel(key: str, minutes: int = DEFAULT) -> dict[str, Any]:
    """Give the lines of one chart."""
    if key not in BY_KEY or minutes not in MINUTES:
        raise HTTPException(404, "there is no such panel, or it does not go back so far")
    try:
        return charted(_SETTINGS, BY_KEY[key], minutes)
    except PrometheusAway as error:
        raise HTTPException(503, f"{error.what}: {error.fix}") from None


@app.get("/alerts")
def alerts() -> list[dict[str, Any]]:
    """Give the alerts that fire."""
    try:
        return firing(_SETTINGS)
    except PrometheusAway as error:
        raise HTTPException(503, f"{error.what}: {error.fix}") from None


class OperationsPlugin(AirflowPlugin):
    """The page in Airflow's navigation."""

    name = "operations"
    fastapi_apps: ClassVar = [{"app": app, "url_prefix": "/operations", "name": "Operations"}]
    external_views: ClassVar = [
        {
            "name": "Operations",
            "href": "operations/",
            "destination": "nav",
            "url_route": "operations",
            "nav_top_level": True,
            "icon": "operations/files/icon.svg",
        },
    ]
