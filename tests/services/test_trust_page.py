"""The trust page in a real browser: on a desk and on a phone, by day and by night, without a network."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.trusted import NOW, trusted_lake
from tidemark.settings import Settings
from tidemark.trust import trust
from tidemark.trust_page import write_trust_page

pytestmark = pytest.mark.services

_CARDS = "return [...document.querySelectorAll('article')].map((each) => each.getBoundingClientRect().left)"
_OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
_FETCHED = "return performance.getEntriesByType('resource').length"
_BACK = "return getComputedStyle(document.body).backgroundColor"
_HIDDEN = """
return [...document.querySelectorAll("article, dd, .badge, svg")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth || !each.getBoundingClientRect().height).length
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    settings = Settings(home=tmp_path_factory.mktemp("trusted"))
    trusted_lake(settings)
    return f"file://{write_trust_page(settings, trust(settings, NOW))}"


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    driver = Chrome(options, ChromeService(str(shutil.which("chromedriver"))))
    yield driver
    driver.quit()


def opened(chrome: Chrome, address: str, width: int, height: int, scheme: str) -> None:
    """Open the page on a screen of a size, by day or by night, with no network."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme_of_system = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme_of_system)
    away = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    chrome.execute_cdp_cmd("Network.enable", {})
    chrome.execute_cdp_cmd("Network.emulateNetworkConditions", away)
    chrome.get(address)


def test_a_desk_has_cards_side_by_side_and_a_phone_one_below_the_other(
    chrome: Chrome, address: str, tmp_path: Path
) -> None:
    opened(chrome, address, 1360, 1240, "light")
    assert len(chrome.execute_script(_CARDS)) == 5
    assert len(set(chrome.execute_script(_CARDS))) == 3
    by_day = chrome.execute_script(_BACK)
    chrome.save_screenshot(str(tmp_path / "trust.png"))
    opened(chrome, address, 390, 1500, "dark")
    assert len(set(chrome.execute_script(_CARDS))) == 1
    assert chrome.execute_script(_BACK) != by_day
    chrome.save_screenshot(str(tmp_path / "trust-phone.png"))


@pytest.mark.parametrize("width", [320, 390, 800, 1360])
def test_nothing_is_cut_off_or_fetched(chrome: Chrome, address: str, width: int) -> None:
    opened(chrome, address, width, 900, "light")
    assert chrome.execute_script(_OVERFLOW) == 0
    assert chrome.execute_script(_HIDDEN) == 0
    assert chrome.execute_script(_FETCHED) == 0
