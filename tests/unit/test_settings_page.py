"""The page of settings is the settings'."""

import pytest

from tidemark.settings import Settings
from tidemark.settings_page import PAGE, settings_page

pytestmark = pytest.mark.unit


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text() == settings_page(), "run `tidemark settings`"


def test_every_setting_is_described() -> None:
    assert [name for name, info in Settings.model_fields.items() if not info.description] == []
