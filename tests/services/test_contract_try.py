"""`tidemark contracts try` on real Kafka, by the warehouse: what a changed contract would judge otherwise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kafka import Broker
from tests.streams import ride, ride_contract, send, settings_in
from tests.warehouse import Warehouse
from tidemark.services import settings_environment

pytest_plugins = ("tests.warehouse",)
pytestmark = pytest.mark.services


def test_the_newest_records_are_judged_by_both_contracts_and_nothing_is_written(
    tmp_path: Path, kafka: Broker, warehouse: Warehouse
) -> None:
    folder = tmp_path / "contracts"
    contract = ride_contract(folder, kafka.topic(partitions=2))
    ports = {"TIDEMARK_CONNECT_PORT": warehouse.settings.connect_port}
    settings = settings_in(tmp_path, kafka, contracts_dir=folder, **ports)
    cheap, anonymous = [ride(n, amount=1) for n in range(3)], [ride(n, user_id=None) for n in range(2)]
    send(kafka, contract.topic, [*cheap * 5, *(ride(n) for n in range(7)), *cheap], partition=0)
    send(kafka, contract.topic, [*anonymous, b"{", *(ride(n) for n in range(7))], partition=1)
    text = (folder / "ride_events.yaml").read_text().replace("minimum: 0", "minimum: 2")
    changed = tmp_path / "ride_events.yaml"
    changed.write_text(
        text.replace("user_id,    logicalType: string,    required: true", "user_id, pii: true, logicalType: string")
    )

    command = [
        str(Path(sys.executable).with_name("tidemark")),
        "contracts",
        "try",
        str(changed),
        "--last",
        "20",
        "--json",
    ]
    environment = os.environ | settings_environment(settings)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    trial = json.loads(done.stdout)
    assert (trial["records"], trial["still_quarantined"]) == (20, 1)
    (cheapest,) = trial["newly_quarantined"].pop("samples")
    assert trial["newly_quarantined"] == {"records": 3, "reasons": {"range:amount": 3}}
    assert (cheapest["position"], cheapest["reasons"]) == (f"{contract.topic}/0@24", ["range:amount"])
    assert json.loads(cheapest["payload"])["user_id"] == "***"
    assert trial["newly_accepted"]["reasons"] == {"null:user_id": 2}
    assert not Path(settings.lake_root).exists()
