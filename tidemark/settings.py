"""Settings: read once, at the door, into a frozen value.

Every setting is an environment variable `TIDEMARK_<NAME>`; nothing else in the project touches the environment for
settings. `docs/settings.md` is made from the descriptions below, by `tidemark settings`.
"""

from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

from tidemark.errors import TidemarkError
from tidemark.port_settings import PortSettings
from tidemark.setting_types import CatalogUrl, HttpUrl, Lake, RedisUrl, RegistryUrl

ROOT = Path(__file__).resolve().parents[1]


class Settings(PortSettings):
    """All settings, frozen."""

    model_config = SettingsConfigDict(env_prefix="TIDEMARK_", frozen=True, extra="ignore")

    home: Path = Field(ROOT / "var", description="Where all state at run time lives.")
    contracts_dir: Path = Field(ROOT / "contracts", description="The folder of contracts.")
    lake: Lake = Field("", description="Root of the lake; empty: `<home>/lake`. A local or mounted path.")
    exports: str = Field("", description="The folder of operational exports; empty: `<home>/exports`.")
    approval_share: float = Field(
        0.05, ge=0, le=1, description="A backfill that would change more of a day's rows than this needs a person."
    )
    jars: Path = Field(ROOT / ".jars", description="The jars that set-up has resolved.")
    airflow_venv: Path = Field(ROOT / ".venv-airflow", description="Airflow's own environment.")
    pii_key_file: str = Field(
        "", description="File with the key of the tokens in the place of personal data; empty: one is made in the home."
    )

    host: str = Field("127.0.0.1", description="The address that every service binds to.")
    kafka_bootstrap: str = Field("", description="Kafka's address; empty: the embedded broker.")
    topic_partitions: int = Field(2, ge=1, le=1000, description="Partitions of a topic that Tidemark creates.")

    registry_url: RegistryUrl = Field(
        "", repr=False, description="Schema registry elsewhere, its Confluent API; empty: the embedded one."
    )
    redis_url: RedisUrl = Field(
        "", repr=False, description="Redis elsewhere, its password in it; empty: the embedded one."
    )
    redis_memory: str = Field("256mb", pattern=r"^\d+mb$", description="Memory of the embedded Redis.")

    prometheus_url: HttpUrl = Field("", repr=False, description="Prometheus elsewhere; empty: the embedded one.")
    metrics_retention_days: int = Field(15, ge=1, description="How long the embedded Prometheus keeps what it has.")
    alert_webhook_file: str = Field(
        "", description="File with an address that alerts are sent to; `<home>/logs/alerts.jsonl` keeps them without."
    )

    spark_master: str = Field("local[4]", description="Master of the streams' driver.")
    spark_remote: str = Field(
        "",
        description="Spark Connect address of batch jobs, with our jars and settings; empty: the embedded warehouse.",
    )
    streams_memory: str = Field("2g", pattern=r"^\d+[mg]$", description="Heap of the streams' driver.")
    warehouse_memory: str = Field("2g", pattern=r"^\d+[mg]$", description="Heap of the warehouse.")
    catalog_url: CatalogUrl = Field(
        "",
        repr=False,
        description="Postgres with the warehouse's catalog, `postgresql://user@host/database`; empty: in the home.",
    )
    catalog_password_file: str = Field("", description="File with the password of that Postgres.")
    max_offsets_per_trigger: int = Field(2_000_000, ge=1, description="Most records that one micro-batch takes.")
    batch_interval_ms: int = Field(500, ge=0, description="Least time from one micro-batch to the next, milliseconds.")
    streams_share: float = Field(
        0.4, gt=0, le=1, description="Share of the processors from which on many streams make fewer micro-batches."
    )
    asset_event_minutes: int = Field(
        15, ge=0, description="Least time from one asset event of the streams to the next, minutes; 0: none is sent."
    )
    future_limit_minutes: int = Field(60, ge=0, description="An event time further ahead than this is quarantined.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Our own log level.")

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises:
            TidemarkError: a value is wrong; it names the variable, what was found and what is allowed.
        """
        try:
            return cls()
        except ValidationError as error:
            raise TidemarkError(
                _explained(error), "correct or unset the variable, then run the command again"
            ) from None

    @cached_property
    def bootstrap(self) -> str:
        """Kafka's address."""
        return self.kafka_bootstrap or f"{self.host}:{self.kafka_port}"

    @cached_property
    def registry_address(self) -> str:
        """The registry's address; it may have a password: show it `without_password`."""
        return self.registry_url or f"http://{self.host}:{self.registry_port}/apis/ccompat/v7"

    @cached_property
    def redis_address(self) -> str:
        """Redis' address; it may have a password: show it `without_password`."""
        return self.redis_url or f"redis://{self.host}:{self.redis_port}/0"

    @cached_property
    def prometheus_address(self) -> str:
        """Prometheus' address."""
        return self.prometheus_url or f"http://{self.host}:{self.prometheus_port}"

    @cached_property
    def connect_url(self) -> str:
        """Spark Connect's address."""
        return self.spark_remote or f"sc://{self.host}:{self.connect_port}"

    @cached_property
    def lake_root(self) -> str:
        """The lake's root without a trailing slash."""
        return (self.lake or str(self.home.absolute() / "lake")).rstrip("/")

    def table(self, layer: str, name: str) -> str:
        """Say where a table lives."""
        return f"{self.lake_root}/{layer}/{name}"

    def checkpoint(self, query: str) -> Path:
        """Say where a stream keeps its checkpoint."""
        return self.home.absolute() / "checkpoints" / query

    @cached_property
    def exports_dir(self) -> Path:
        """The folder of exports, one below it for each contract."""
        return Path(self.exports or self.home / "exports").absolute()

    @cached_property
    def logs(self) -> Path:
        """The folder of the services' logs."""
        return self.home.absolute() / "logs"

    @property
    def locks(self) -> Path:
        """Where the locks of tables and queries are: in the lake, so that all who share it share them."""
        return Path(self.lake_root) / "_locks"

    @property
    def leases(self) -> Path:
        """Where the leases of batch jobs are: in the lake, like the locks."""
        return Path(self.lake_root) / "_leases"

    @cached_property
    def run(self) -> Path:
        """The folder of sockets and state files of running processes."""
        return self.home.absolute() / "run"


def _explained(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        name = str(problem["loc"][0])
        message = problem["msg"].removeprefix("Value error, ")
        variable = name if name.startswith("TIDEMARK_") else f"TIDEMARK_{name.upper()}"
        found = without_password(str(problem["input"])) if variable.endswith("_URL") else problem["input"]
        lines.append(f"{variable}: found {found!r}; {message}")
    return "\n".join(lines)


def without_password(url: str) -> str:
    """Give an address as it may be shown: what stands before its host is left out, and a doubtful one altogether."""
    scheme, is_url, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if is_url and "?" not in rest else "***"


def variable(name: str) -> str:
    """Give the environment variable of a setting."""
    return Settings.model_fields[name].alias or f"TIDEMARK_{name.upper()}"
