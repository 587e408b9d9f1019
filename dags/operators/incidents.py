"""Tell of incidents: in the task's log, each with its runbook."""

import json
from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier

from tidemark.settings import ROOT, Settings


class IncidentNotifier(BaseNotifier):
    """Write every open incident of the last look to the log; a notifier of another kind can stand beside it."""

    def notify(self, context: Any) -> None:
        """Tell why the task failed, and of each incident."""
        for line in (str(context.get("exception")), *incident_lines(Settings.load().run / "watch.json")):
            self.log.error(line)


def incident_lines(look: Path) -> list[str]:
    """Give a line for each incident that the last look left open."""
    try:
        found = json.loads(look.read_text(encoding="utf-8"))["incidents"]
    except FileNotFoundError:
        return []
    return [
        f"incident {each['kind']} of {each['stream']} since {each['since']}: {each['what']}; "
        f"runbook: {(ROOT / each['runbook']).as_uri()}"
        for each in found
    ]
