"""The key of the tokens in the place of personal data: a secret file, made once, that the warehouse alone reads.

With another key the same person has another token: keep the file as long as the tables that have tokens of it.
"""

import secrets
from pathlib import Path

from tidemark.errors import TidemarkError
from tidemark.private_files import private_folder, written_once
from tidemark.settings import Settings

_SHORTEST = 32  # characters
_OTHERS = 0o077


def token_key_file(settings: Settings) -> Path:
    """Say where the key is."""
    return Path(settings.pii_key_file or settings.home / "secrets" / "pii.key").absolute()


def token_key(settings: Settings) -> str:
    """Give the key; make it the first time, unless the settings say where it is.

    Raises:
        TidemarkError: the file is not there, others may read it, or the key is too short to be a secret.
    """
    path = token_key_file(settings)
    if not settings.pii_key_file:
        private_folder(path.parent)
        written_once(path, lambda: secrets.token_hex(32) + "\n")
    if not path.is_file():
        raise TidemarkError(f"TIDEMARK_PII_KEY_FILE: {path} is not there", "name a file with the key, or unset it")
    if path.stat().st_mode & _OTHERS:
        raise TidemarkError(f"{path}: others than its owner may read the key", f"chmod 600 {path}")
    key = path.read_text(encoding="utf-8").strip()
    if len(key) < _SHORTEST:
        fix = "write one like the output of: openssl rand -hex 32"
        raise TidemarkError(f"{path}: the key has fewer than {_SHORTEST} characters", fix)
    return key
