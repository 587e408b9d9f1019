"""The key of the tokens: made once, private, and refused where it is no secret."""

from pathlib import Path

import pytest

from tidemark.errors import TidemarkError
from tidemark.settings import Settings
from tidemark.token_key import token_key, token_key_file

pytestmark = pytest.mark.unit


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    key = token_key(settings)
    assert len(key) == 64 and token_key(settings) == key
    assert token_key_file(settings).stat().st_mode & 0o777 == 0o600
    assert token_key_file(settings).parent.stat().st_mode & 0o777 == 0o700
    assert token_key(Settings(home=tmp_path / "other")) != key


def test_a_key_of_ones_own_is_taken_and_none_is_made(tmp_path: Path) -> None:
    path = tmp_path / "own.key"
    path.write_text("k" * 32 + "\n")
    path.chmod(0o400)
    assert token_key(Settings(home=tmp_path / "home", pii_key_file=str(path))) == "k" * 32
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [(None, 0, "is not there"), ("k" * 32, 0o640, "others than its owner"), ("k" * 31, 0o600, "fewer than 32")],
)
def test_a_key_that_is_no_secret_is_refused(tmp_path: Path, text: str | None, mode: int, said: str) -> None:
    path = tmp_path / "own.key"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(TidemarkError, match=said) as refused:
        token_key(Settings(home=tmp_path, pii_key_file=str(path)))
    assert "kkk" not in str(refused.value)
