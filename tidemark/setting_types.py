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


def _has_a_place(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:  # its text would have a part of the password
        return False


RegistryUrl = Annotated[str, AfterValidator(_registry)]
RedisUrl = Annotated[str, AfterValidator(_redis)]
Lake = Annotated[str, AfterValidator(_lake)]
