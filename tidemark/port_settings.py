"""Every port, as a setting; an offset shifts them all, so that two copies run side by side."""

from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_settings import BaseSettings

_LAST_PORT = 65_535


def _port(port: int, info: ValidationInfo) -> int:
    offset = info.data.get("port_offset", 0)
    if not 1 <= port <= _LAST_PORT - offset:
        raise ValueError(f"allowed is 1 to {_LAST_PORT - offset}, since TIDEMARK_PORT_OFFSET is {offset}")
    return port


Port = Annotated[int, AfterValidator(_port)]


class PortSettings(BaseSettings):
    """The ports that services of one machine listen on."""

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
    base_registry_port: Port = Field(8081, alias="TIDEMARK_REGISTRY_PORT", description="The embedded schema registry.")
    base_redis_port: Port = Field(6379, alias="TIDEMARK_REDIS_PORT", description="The embedded Redis.")
    base_metrics_port: Port = Field(
        9109, alias="TIDEMARK_METRICS_PORT", description="Metrics of the lake, the services and the machine."
    )
    base_prometheus_port: Port = Field(9090, alias="TIDEMARK_PROMETHEUS_PORT", description="The embedded Prometheus.")
    base_alertmanager_port: Port = Field(
        9094, alias="TIDEMARK_ALERTMANAGER_PORT", description="The embedded Alertmanager."
    )
    base_log_port: Port = Field(8793, alias="TIDEMARK_AIRFLOW_LOG_PORT", description="Airflow's task logs.")
    base_trigger_log_port: Port = Field(8794, alias="TIDEMARK_AIRFLOW_TRIGGER_LOG_PORT", description="Triggerer logs.")

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
    def registry_port(self) -> int:
        return self.base_registry_port + self.port_offset

    @cached_property
    def redis_port(self) -> int:
        return self.base_redis_port + self.port_offset

    @cached_property
    def metrics_port(self) -> int:
        return self.base_metrics_port + self.port_offset

    @cached_property
    def prometheus_port(self) -> int:
        return self.base_prometheus_port + self.port_offset

    @cached_property
    def alertmanager_port(self) -> int:
        return self.base_alertmanager_port + self.port_offset

    @cached_property
    def airflow_log_port(self) -> int:
        return self.base_log_port + self.port_offset

    @cached_property
    def airflow_trigger_log_port(self) -> int:
        return self.base_trigger_log_port + self.port_offset
