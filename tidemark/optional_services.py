"""Services that the rest does without: which of them this machine does not have, and what is lost by it."""

from collections.abc import Callable
from dataclasses import dataclass

from tidemark import alertmanager_server, prometheus_server, redis_server
from tidemark.settings import Settings


@dataclass(frozen=True)
class OptionalService:
    """A Debian package's service."""

    name: str
    program: Callable[[], str | None]
    elsewhere: Callable[[Settings], str]  # the address of another in its place; empty: there is none
    lost: str
    fix: str


OPTIONAL = (
    OptionalService(
        "redis",
        redis_server.program,
        lambda settings: settings.redis_url,
        "product_sales goes to Delta alone",
        redis_server.INSTALL,
    ),
    OptionalService(
        "prometheus",
        prometheus_server.program,
        lambda settings: settings.prometheus_url,
        "no metrics are kept, and nothing alerts",
        prometheus_server.INSTALL,
    ),
    OptionalService(
        "alertmanager",
        alertmanager_server.program,
        lambda settings: settings.prometheus_url,  # which sends its alerts to one that it knows
        "no alert is sent",
        prometheus_server.INSTALL,
    ),
)


def ours(settings: Settings) -> list[str]:
    """Name those that we start: installed, and no other is in their place."""
    return [each.name for each in OPTIONAL if each.program() and not each.elsewhere(settings)]


def absent(settings: Settings) -> list[str]:
    """Say which this machine can't have, what is lost by it, and how to mend it."""
    missing = (each for each in OPTIONAL if not each.program() and not each.elsewhere(settings))
    return [f"{each.name} is not installed: {each.lost}\n  fix: {each.fix}" for each in missing]
