"""dbt's models: which contracts each needs, and that none is built without them."""

import re

import pytest

from tidemark.contracts import read_contracts
from tidemark.models import GOLD, MODELS, STAGED, left_out
from tidemark.settings import ROOT

pytestmark = pytest.mark.unit

CONTRACTS = set(read_contracts(ROOT / "contracts"))
TEXTS = {path.stem: path.read_text() for path in MODELS.rglob("*.sql")}
OF_SEVERAL = {"combined_metrics"}  # it leaves out the parts that it can't have


def test_a_model_names_the_contracts_that_it_is_made_from() -> None:
    needed = left_out(())
    assert len(needed) >= 20 and needed.keys() == TEXTS.keys() - OF_SEVERAL
    for name, contracts in needed.items():
        (named,) = re.findall(r"enabled=has_contracts\(\[(.*?)\]\)", TEXTS[name])
        assert sorted(re.findall(r"\w+", named)) == contracts, name


def test_with_all_contracts_no_model_is_left_out() -> None:
    assert left_out(CONTRACTS) == {}


def test_a_model_is_left_out_with_the_contracts_that_it_lacks() -> None:
    found = left_out(CONTRACTS - {"customers", "app_logs"})
    assert found["fct_service_errors"] == found["stg_logs"] == ["app_logs"]
    assert found["fct_fraud_alerts"] == found["int_payments"] == ["customers"]
    assert "stg_payments" not in found and "fct_rides" not in found


def test_a_gated_model_is_there() -> None:
    assert TEXTS.keys() >= {*STAGED, *GOLD}
    assert {name: left_out(())[name] for name in STAGED} == {name: [contract] for name, contract in STAGED.items()}


def test_every_personal_column_of_silver_is_a_token() -> None:
    personal = [
        (contract.id, column.name)
        for contract in read_contracts(ROOT / "contracts").values()
        for column in contract.columns
        if column.pii
    ]
    assert len(personal) == 4
    by_contract = {contracts[0]: TEXTS[name] for name, contracts in left_out(()).items() if name.startswith("stg_")}
    for contract, column in personal:
        (line,) = (line for line in by_contract[contract].splitlines() if re.search(rf"\b{column}\b", line))
        assert line.strip().startswith(f"{{{{ token('{column}') }}}} as {column},")
