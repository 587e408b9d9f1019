"""What can be trusted of a table, in a terminal, as JSON and as a page that needs no network."""

import json
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.trusted import CERTIFICATE, NOW, trusted_lake
from tidemark.charts import HEIGHT, OTHERS, held_back_chart, volume_chart
from tidemark.cli import command_line
from tidemark.lineage import manifest_edges
from tidemark.settings import Settings
from tidemark.trust import Trust, trust
from tidemark.trust_page import age, trust_page
from tidemark.volumes import HeldBack, days_until, expected_volume

pytestmark = pytest.mark.unit

TODAY = date(2026, 5, 14)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("trusted"))
    trusted_lake(settings, of="<b>")
    return settings


@pytest.fixture(scope="module")
def found(settings: Settings) -> Trust:
    return trust(settings, NOW)


def test_a_table_is_trusted_only_if_it_is_proven_and_its_gate_passes(found: Trust) -> None:
    assert {each.full_name: each.state for each in found.tables} == {
        "bronze.ride_events": "pass",
        "bronze.sales_events": "warn",
        "bronze.customers": "fail",
        "silver.stg_rides": "pass",
        "gold.fct_rides_hourly": "pass",
    }


def test_a_table_is_as_far_proven_as_what_it_is_built_from(found: Trust) -> None:
    rides, hourly = (
        next(each for each in found.tables if each.name == name) for name in ("stg_rides", "fct_rides_hourly")
    )
    for table in (rides, hourly):
        assert table.proven is not None
        assert (table.proven.verdict, table.proven.certificate_ids) == ("proven", (CERTIFICATE,))
        assert table.proven.complete_through == NOW - timedelta(minutes=26)
    assert hourly.lineage.before == ("topic.ride_events", "bronze.ride_events", *hourly.lineage.before[2:])
    assert "gold.fct_rides_hourly" in next(each for each in found.tables if each.name == "ride_events").lineage.after


def test_a_day_unlike_the_others_is_outside_the_expected_band(found: Trust) -> None:
    sales = next(each for each in found.tables if each.name == "sales_events")
    assert sales.volume.expected is not None
    yesterday = NOW.date() - timedelta(days=1)
    assert sales.volume.days[yesterday] < sales.volume.expected[0]
    days = days_until(NOW.date(), 14)
    assert [bar.title[:10] for bar in volume_chart(sales.volume, days).bars if bar.kind == "warn"] == [str(yesterday)]


def test_a_few_days_are_too_few_to_expect_anything() -> None:
    days = {TODAY - timedelta(days=ago): 100 for ago in range(4)}
    assert expected_volume(days, TODAY).expected is None
    assert expected_volume(days | {TODAY - timedelta(days=4): 100}, TODAY).expected == (70, 130)


def test_parts_of_a_bar_stand_on_each_other_and_rare_reasons_are_one_part() -> None:
    held = HeldBack({TODAY: {f"reason {number}": 10 - number for number in range(7)}})
    chart = held_back_chart(held, days_until(TODAY, 3))
    assert len({bar.x for bar in chart.bars}) == 1
    assert chart.bars[0].y + chart.bars[0].height == pytest.approx(HEIGHT)
    for lower, upper in zip(chart.bars, chart.bars[1:], strict=False):
        assert upper.y + upper.height == pytest.approx(lower.y, abs=0.02)
    assert [(name, rows) for _, name, rows in chart.legend][-1] == (OTHERS, 6 + 5 + 4)
    assert len(chart.bars) == 5


class Page(HTMLParser):
    """What a page has and what it asks for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_fetches_nothing_and_shows_what_is_known(found: Trust, tmp_path: Path) -> None:
    html = trust_page(found, tmp_path)
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "b>"} & {tag for tag, _ in page.tags}
    assert "http" not in html and "url(" not in html and "@import" not in html
    ids = [each["id"] for tag, each in page.tags if tag == "article"]
    assert ids == [each.full_name for each in found.tables]
    assert {each["href"] for tag, each in page.tags if tag == "a"} <= {f"#{name}" for name in ids}
    assert page.text.count(CERTIFICATE) == 5
    assert "volume_change(<b>) > -25 and < 100 %: -44 %" in page.text
    assert "&lt;b&gt;" in html


def test_the_documents_beside_the_page_are_linked(found: Trust, tmp_path: Path) -> None:
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "index.html").touch()
    assert 'href="../quality/index.html"' in trust_page(found, tmp_path)


def test_an_empty_lake_has_a_page_too(tmp_path: Path) -> None:
    empty = trust(Settings(home=tmp_path), NOW)
    assert "There is no table yet." in trust_page(empty, tmp_path)


@pytest.fixture
def in_lake(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("TIDEMARK_HOME", str(settings.home))
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner()


def test_the_command_says_the_same_in_a_terminal_and_as_json(in_lake: CliRunner) -> None:
    shown = in_lake.invoke(command_line(), ["trust"])
    assert shown.exit_code == 0, shown.output
    assert "3 of 5 tables are proven and pass their gates" in shown.output
    tables = {
        f"{each['layer']}.{each['name']}": each
        for each in json.loads(in_lake.invoke(command_line(), ["trust", "--json"]).stdout)["tables"]
    }
    assert {name: each["state"] for name, each in tables.items()}["bronze.customers"] == "fail"
    rides = tables["bronze.ride_events"]
    assert rides["proven"]["certificate_ids"] == [CERTIFICATE]
    assert [gate["verdict"] for gate in rides["gates"]].count("fail") == 1
    assert sum(sum(day.values()) for day in rides["held_back"].values()) > 50


def test_the_command_writes_the_page(in_lake: CliRunner, settings: Settings) -> None:
    written = in_lake.invoke(command_line(), ["trust", "--html"])
    path = settings.home / "docs" / "trust" / "index.html"
    assert written.stdout.strip() == str(path)
    assert "What can be trusted" in path.read_text()


def test_lineage_follows_the_manifest_to_the_dashboards_and_not_to_tests() -> None:
    written = {
        "nodes": {
            "model.t.stg_rides": {"resource_type": "model", "schema": "silver", "name": "stg_rides"},
            "test.t.unique": {"resource_type": "test", "schema": "tests", "name": "unique"},
        },
        "sources": {
            "source.t.bronze.rides": {"source_name": "bronze", "name": "rides"},
            "source.t.ops.tidemarks": {"source_name": "ops", "name": "tidemarks"},
        },
        "exposures": {"exposure.t.board": {"type": "dashboard", "name": "board"}},
        "parent_map": {
            "model.t.stg_rides": ["source.t.bronze.rides", "source.t.ops.tidemarks"],
            "test.t.unique": ["model.t.stg_rides"],
            "exposure.t.board": ["model.t.stg_rides"],
        },
    }
    assert manifest_edges(written) == [("bronze.rides", "silver.stg_rides"), ("silver.stg_rides", "dashboard.board")]


def test_age_is_said_in_the_largest_unit() -> None:
    passed = (timedelta(seconds=5), timedelta(minutes=59), timedelta(hours=5), timedelta(days=3, hours=5))
    assert [age(NOW, NOW - each) for each in passed] == ["less than a minute", "59 min", "5 h", "3 d"]
