"""Grafana's dashboard, made from the list of panels."""

import json
from itertools import groupby
from typing import Any

from tidemark.panels import PANELS, Panel, Unit
from tidemark.settings import ROOT

DASHBOARD = ROOT / "docker" / "grafana" / "provisioning" / "dashboards" / "tidemark.json"
SOURCE = {"type": "prometheus", "uid": "prometheus"}  # as docker/grafana/provisioning/datasources names it

_UNITS: dict[Unit, str] = {
    "number": "short",
    "rows_per_second": "rowsps",
    "per_second": "cps",
    "seconds": "s",
    "bytes": "bytes",
    "share": "percentunit",
}
_ACROSS, _WIDTH, _HEIGHT = 3, 8, 8  # Grafana's grid is 24 wide


def dashboard() -> str:
    """Write the dashboard as Grafana reads it."""
    written = {
        "uid": "tidemark",
        "title": "Tidemark",
        "editable": False,
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "panels": _panels(),
    }
    return json.dumps(written, indent=1) + "\n"


def _panels() -> list[dict[str, Any]]:
    placed: list[dict[str, Any]] = []
    top = 0
    for section, group in groupby(PANELS, key=lambda panel: panel.section):
        panels = list(group)
        placed.append({"type": "row", "id": len(placed) + 1, "title": section, "gridPos": _place(0, top, 24, 1)})
        for number, panel in enumerate(panels):
            x, y = number % _ACROSS * _WIDTH, top + 1 + number // _ACROSS * _HEIGHT
            placed.append(_chart(panel, len(placed) + 1, _place(x, y, _WIDTH, _HEIGHT)))
        top += 1 + -(-len(panels) // _ACROSS) * _HEIGHT
    return placed


def _chart(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "id": number,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": _UNITS[panel.unit], "custom": {"showPoints": "never"}}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend,
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}
