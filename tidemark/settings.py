"""Settings: read once, at the door, into a frozen value.

Every setting is an environment variable `TIDEMARK_<NAME>`; nothing else in the project touches the environment for
settings. `docs/settings.md` is made from the descriptions below, by `tidemark settings`.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from tidemark.errors import TidemarkError

ROOT = Path(__file__).resolve().parents[1]

_LAST_PORT = 65_535


def _port(port: int, info: ValidationInfo) -> int:
    offset = info.data.get("port_offset", 0)
    if not 1 <= port <= _LAST_PORT - offset:
        raise ValueError(f"allowed is 1 to {_LAST_PORT - offset}, since TIDEMARK_PORT_OFFSET is {offset}")
    return port


def _lake(root: str) -> str:
    if "://" in root and not root.startswith("file://"):
        reason = "two JVMs commit to one table, and an object store without an arbiter loses commits"
        raise ValueError(f"allowed is a path on this machine or a mounted one: {reason}")
    return root.removeprefix("file://")


Port = Annotated[int, AfterValidator(_port)]
Lake = Annotated[str, AfterValidator(_lake)]


class Settings(BaseSettings):
    """All settings, frozen."""

    model_config = SettingsConfigDict(env_prefix="TIDEMARK_", frozen=True, extra="ignore")

    home: Path = Field(ROOT / "var", description="Where all state at run time lives.")
    contracts_dir: Path = Field(ROOT / "contracts", description="The folder of contracts.")
    lake: Lake = Field("", description="Root of the lake; empty: `<home>/lake`. A local or mounted path.")
    jars: Path = Field(ROOT / ".jars", description="The jars that set-up has resolved.")
    airflow_venv: Path = Field(ROOT / ".venv-airflow", description="Airflow's own environment.")

    host: str = Field("127.0.0.1", description="The address that every service binds to.")
    port_offset: int = Field(
        0, ge=0, le=50_000, description="Added to every port, so that two copies run side by side."
    )
    base_kafka_port: Port = Field(9092, alias="TIDEMARK_KAFKA_PORT", description="Kafka's clients.")
    base_controller_port: Port = Field(9093, alias="TIDEMARK_CONTROLLER_PORT", description="Kafka's controller.")
    base_thrift_port: Port = Field(10000, alias="TIDEMARK_THRIFT_PORT", description="SQL: dbt, BI tools, beeline.")
    base_connect_port: Port = Field(
        15002, alias="TIDEMARK_CONNECT_PORT", description="Spark Connect: batch jobs, gates."
    )
    base_airflow_port: Port = Field(8080, alias="TIDEMARK_AIRFLOW_PORT", description="Airflow's UI and REST API.")
    base_streams_port: Port = Field(9108, alias="TIDEMARK_STREAMS_PORT", description="The streams' health and metrics.")
    base_log_port: Port = Field(8793, alias="TIDEMARK_AIRFLOW_LOG_PORT", description="Airflow's task logs.")
    base_trigger_log_port: Port = Field(8794, alias="TIDEMARK_AIRFLOW_TRIGGER_LOG_PORT", description="Triggerer logs.")

    kafka_bootstrap: str = Field("", description="Kafka's address; empty: the embedded broker.")
    topic_partitions: int = Field(2, ge=1, le=1000, description="Partitions of a topic that Tidemark creates.")

    spark_master: str = Field("local[4]", description="Master of the streams' driver.")
    spark_remote: str = Field("", description="Spark Connect address of batch jobs; empty: the embedded warehouse.")
    streams_memory: str = Field("2g", pattern=r"^\d+[mg]$", description="Heap of the streams' driver.")
    warehouse_memory: str = Field("2g", pattern=r"^\d+[mg]$", description="Heap of the warehouse.")
    max_offsets_per_trigger: int = Field(2_000_000, ge=1, description="Most records that one micro-batch takes.")
    batch_interval_ms: int = Field(500, ge=0, description="Least time from one micro-batch to the next, milliseconds.")
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
    def kafka_port(self) -> int:
        return self.base_kafka_port + self.port_offset

    @cached_property
    def controller_port(self) -> int:
        return self.base_controller_port + self.port_offset

    @cached_property
    def thrift_port(self) -> int:
        return self.base_thrift_port + self.port_offset

    @cached_property
    def connect_port(self) -> int:
        return self.base_connect_port + self.port_offset

    @cached_property
    def airflow_port(self) -> int:
        return self.base_airflow_port + self.port_offset

    @cached_property
    def streams_port(self) -> int:
        return self.base_streams_port + self.port_offset

    @cached_property
    def airflow_log_port(self) -> int:
        return self.base_log_port + self.port_offset

    @cached_property
    def airflow_trigger_log_port(self) -> int:
        return self.base_trigger_log_port + self.port_offset

    @cached_property
    def bootstrap(self) -> str:
        """Kafka's address."""
        return self.kafka_bootstrap or f"{self.host}:{self.kafka_port}"

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
    def logs(self) -> Path:
        """The folder of the services' logs."""
        return self.home.absolute() / "logs"

    @property
    def locks(self) -> Path:
        """Where the locks of tables and queries are: in the lake, so that all who share it share them."""
        return Path(self.lake_root) / "_locks"

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
        lines.append(f"{variable}: found {problem['input']!r}; {message}")
    return "\n".join(lines)


def variable(name: str) -> str:
    """Give the environment variable of a setting."""
    return Settings.model_fields[name].alias or f"TIDEMARK_{name.upper()}"
