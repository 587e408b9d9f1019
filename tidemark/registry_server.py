"""The embedded schema registry: one Apicurio on loopback, whose schemas outlive it."""

from pathlib import Path

from tidemark.errors import TidemarkError
from tidemark.programs import java
from tidemark.settings import Settings


def folder(settings: Settings) -> Path:
    """Say where the registry keeps its schemas."""
    return settings.home.absolute() / "registry"


def registry_command(settings: Settings) -> tuple[str, ...]:
    """Give the command line of the registry."""
    # It answers few questions, and each once: code that starts fast beats code that runs fast.
    tuning = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")
    return (java(), *tuning, "-Djava.net.preferIPv4Stack=true", "-jar", str(_runner(settings)))


def registry_environment(settings: Settings) -> dict[str, str]:
    """Give its settings, which it reads from the environment."""
    return {
        "QUARKUS_HTTP_HOST": settings.host,
        "HTTP_PORT": str(settings.registry_port),
        "REGISTRY_DATASOURCE_URL": f"jdbc:h2:file:{folder(settings) / 'data'}",
        "REGISTRY_DISABLE_APIS": "/apis/ibmcompat/.*,/apis/cncf/.*",
    }


def prepare(settings: Settings) -> None:
    """Make its folder.

    Raises:
        TidemarkError: its jars are missing.
    """
    if not _runner(settings).exists():
        raise TidemarkError(f"{settings.jars / 'registry'}: the registry's jars are not there", "make setup-streams")
    folder(settings).mkdir(parents=True, exist_ok=True)


def _runner(settings: Settings) -> Path:
    found = sorted((settings.jars.absolute() / "registry").glob("*-runner.jar"))
    return found[0] if found else settings.jars.absolute() / "registry" / "apicurio-registry-app-runner.jar"
