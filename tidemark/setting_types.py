"""The kinds of values that settings take: each says what is allowed, and shows no password."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _lake(root: str) -> str:
    if "://" in root and not root.startswith("file://"):
        reason = "two JVMs commit to one table, and an object store without an arbiter loses commits"
        raise ValueError(f"allowed is a path on this machine or a mounted one: {reason}")
    return root.removeprefix("file://")


def _redis(url: str) -> str:
    if url and not (url.startswith(("redis://", "rediss://")) and _has_a_place(url)):
        raise ValueError("allowed is redis://[[user]:password@]host[:port][/database], or rediss:// for TLS")
    return url


def _registry(url: str) -> str:
    if url and not (url.startswith(("http://", "https://")) and _has_a_place(url)):
        raise ValueError("allowed is http://[user:password@]host[:port][/path], or https://")
    return url


def _http(url: str) -> str:
    if url and not (url.startswith(("http://", "https://")) and _has_a_place(url)):
        raise ValueError("allowed is http://host[:port][/path], or https://")
    return url.rstrip("/")


def _catalog(url: str) -> str:
    allowed = "allowed is postgresql://user@host[:port]/database; its password stands in TIDEMARK_CATALOG_PASSWORD_FILE"
    if url and not (url.startswith("postgresql://") and _has_a_place(url)):
        raise ValueError(allowed)
    parts = urlsplit(url)
    if url and (parts.password is not None or not parts.username or len(parts.path) < 2 or parts.query):
        raise ValueError(allowed)
    return url


def _has_a_place(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:  # its text would have a part of the password
        return False


RegistryUrl = Annotated[str, AfterValidator(_registry)]
HttpUrl = Annotated[str, AfterValidator(_http)]
CatalogUrl = Annotated[str, AfterValidator(_catalog)]
RedisUrl = Annotated[str, AfterValidator(_redis)]
Lake = Annotated[str, AfterValidator(_lake)]
