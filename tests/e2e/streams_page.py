"""Our pages as somebody sees them who logs in to Airflow, in a real browser without a screen."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tidemark.airflow_env import ADMIN, admin_password, airflow_url
from tidemark.settings import Settings

_PATIENCE = 60.0  # seconds, on a busy machine
_INSTALL = "sudo apt-get install chromium chromium-driver"
_SIZE = "1360,1240"
_CHARTS = """
return [...document.querySelectorAll("figure")]
  .map((each) => [each.firstChild.textContent, each.querySelectorAll("path.data").length]);
"""
_WORDS = """
return [...document.querySelectorAll("#streams tbody tr")]
  .map((row) => [row.cells[0].textContent, row.cells[1].textContent]);
"""


class Browser:
    """Chromium, in front of one Airflow."""

    def __init__(self, driver: Chrome, settings: Settings) -> None:
        self._driver = driver
        self._url = airflow_url(settings)
        self._password = admin_password(settings)

    def text_of(self, path: str) -> str:
        """Open an address and give what is to be read there."""
        self._driver.get(self._url + path)
        return self._driver.find_element(By.TAG_NAME, "body").text

    def log_in(self) -> None:
        """Fill in Airflow's own form."""
        self._driver.get(f"{self._url}/auth/login/")
        for name, text in (("username", ADMIN), ("password", self._password)):
            self._until(f"input[name={name}]")
            self._driver.find_element(By.NAME, name).send_keys(text)
        self._driver.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
        self._until("a[href$='/plugin/streams']")  # the UI, and our page in its navigation

    def states(self, path: str) -> dict[str, str]:
        """Open a page that shows ours in a frame, and give the state of each stream."""
        self._driver.get(self._url + path)
        self._until("iframe[title=Streams]")
        self._driver.switch_to.frame(self._driver.find_element(By.CSS_SELECTOR, "iframe[title=Streams]"))
        self._until("#streams tbody tr")
        words = self._driver.execute_script(_WORDS)  # in one go: the page makes its rows anew every few seconds
        self._driver.switch_to.default_content()
        return dict(words)

    def charts(self) -> dict[str, int]:
        """Open the page Operations, wait until it has drawn itself, and give how many lines each chart has."""
        self._driver.get(self._url + "/plugin/operations")
        self._until("iframe[title=Operations]")
        self._driver.switch_to.frame(self._driver.find_element(By.CSS_SELECTOR, "iframe[title=Operations]"))
        self._until("figure")
        WebDriverWait(self._driver, _PATIENCE).until(
            lambda driver: "as of" in driver.find_element(By.ID, "summary").text
        )
        drawn = dict(self._driver.execute_script(_CHARTS))
        self._driver.switch_to.default_content()
        return drawn

    def picture(self, path: Path) -> None:
        """Keep what is seen."""
        self._driver.save_screenshot(str(path))

    def _until(self, selector: str) -> None:
        WebDriverWait(self._driver, _PATIENCE).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, selector))


@contextmanager
def browser(settings: Settings) -> Iterator[Browser]:
    """Start Chromium; end it with the block."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert program and driver, f"there is no Chromium: {_INSTALL}"
    options = ChromeOptions()
    options.binary_location = program
    # Root has no sandbox; a container has little shared memory.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={_SIZE}"):
        options.add_argument(argument)
    chrome = Chrome(options, ChromeService(driver))
    try:
        yield Browser(chrome, settings)
    finally:
        chrome.quit()
