"""Domains: small models of what the demo's topics tell about, and one for every other contract."""

from collections.abc import Callable
from random import Random

from tidemark.contracts import Contract
from tidemark.domains.any import Completed, FromContract
from tidemark.domains.event import Domain
from tidemark.domains.rides import WIRES as RIDE_WIRES
from tidemark.domains.rides import Rides
from tidemark.domains.sales import WIRES as SALE_WIRES
from tidemark.domains.sales import Sales

# The contracts that have a model of their own: what makes it, and the wire names that it gives
_MODELS: dict[str, tuple[Callable[[Random], Domain], frozenset[str]]] = {
    "ride_events": (Rides, RIDE_WIRES),
    "sales_events": (Sales, SALE_WIRES),
}


def domain_of(contract: Contract, random: Random) -> Domain:
    """Give the contract's model; columns that the model doesn't know are filled in from the contract."""
    if contract.id not in _MODELS:
        return FromContract(contract, random)
    make, wires = _MODELS[contract.id]
    model = make(random)
    unknown = [column for column in contract.columns if column.source != "key" and column.wire not in wires]
    return Completed(model, unknown, random) if unknown else model
