"""Domains: small models of what the demo's topics tell about, and one for every other contract."""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from tidemark.contracts import Contract
from tidemark.domains import app_logs, card_payments, customers, page_views, rides, sales, sensors
from tidemark.domains.any import Completed, FromContract
from tidemark.domains.change_log import Inserts
from tidemark.domains.event import Domain


class Model(NamedTuple):
    """How a domain's model is made of a source of chance and the seed, and the wire names that it gives."""

    make: Callable[[Random, int], Domain]
    wires: frozenset[str]
    of_changes: bool = False


# The contracts that have a model of their own
MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "app_logs": Model(lambda random, seed: app_logs.AppLogs(random), app_logs.WIRES),
        "card_payments": Model(card_payments.CardPayments, card_payments.WIRES),
        "customers": Model(lambda random, seed: customers.Customers(random), customers.WIRES, of_changes=True),
        "page_views": Model(lambda random, seed: page_views.PageViews(random), page_views.WIRES),
        "ride_events": Model(rides.Rides, rides.WIRES),
        "sales_events": Model(lambda random, seed: sales.Sales(random), sales.WIRES),
        "sensor_readings": Model(lambda random, seed: sensors.Sensors(random), sensors.WIRES),
    }
)


def domain_of(contract: Contract, random: Random, seed: int) -> Domain:
    """Give the contract's model; columns that the model doesn't know are filled in from the contract."""
    of_changes = contract.format == "debezium"
    model = MODELS.get(contract.id)
    if model is None or model.of_changes != of_changes:
        return Inserts(contract, random) if of_changes else FromContract(contract, random)
    domain = model.make(random, seed)
    unknown = [column for column in contract.columns if column.source != "key" and column.wire not in model.wires]
    return Completed(domain, contract, unknown, random) if unknown else domain
