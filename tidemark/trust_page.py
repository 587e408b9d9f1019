"""The trust page: one file of HTML that needs no network and no script."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from tidemark.charts import HEIGHT, WIDTH, gate_chart, held_back_chart, volume_chart
from tidemark.settings import Settings
from tidemark.trust import DAYS, Trust
from tidemark.volumes import days_until

_PAGES = Path(__file__).parent / "pages"
_UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


def trust_page(trust: Trust, docs: Path) -> str:
    """Render the page.

    Args:
        docs: the folder that the page is served from: what is there beside it is linked.
    """
    days = days_until(trust.at.date(), DAYS)
    pages = Environment(loader=FileSystemLoader(_PAGES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    pages.filters["age"] = lambda then: age(trust.at, then)
    others = (("Quality", "quality/index.html"), ("dbt", "dbt/static_index.html"))
    return pages.get_template("trust.j2").render(
        trust=trust,
        gate_chart=gate_chart,
        volume_chart=lambda table: volume_chart(table.volume, days),
        held_back_chart=lambda table: held_back_chart(table.held_back, days),
        size=(WIDTH, HEIGHT),
        links=[(name, f"../{path}") for name, path in others if (docs / path).exists()],
        style=(_PAGES / "trust.css").read_text(encoding="utf-8"),
    )


def write_trust_page(settings: Settings, trust: Trust) -> Path:
    """Write the page where the other documents are; give its path."""
    docs = settings.home.absolute() / "docs"
    path = docs / "trust" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")  # who reads it meanwhile sees the old one or the new one
    fresh.write_text(trust_page(trust, docs), encoding="utf-8")
    return fresh.replace(path)


def age(now: datetime, then: datetime) -> str:
    """Say how long ago something was: `3 h`, `25 min`."""
    passed = now - then
    for unit, name in _UNITS:
        if passed >= unit:
            return f"{passed // unit} {name}"
    return "less than a minute"
