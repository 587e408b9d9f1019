"""The demo: events in, proof out. Everything is started, fed, put right by Airflow, proven and shown."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.compute as pc
from deltalake import DeltaTable

from tidemark import commands, lifecycle
from tidemark.airflow_api import AirflowApi
from tidemark.airflow_env import ADMIN, airflow_url, password_file
from tidemark.bronze import ERRORS
from tidemark.contracts import Contract, read_contracts
from tidemark.errors import TidemarkError
from tidemark.ledger import Ledger, ends
from tidemark.settings import Settings
from tidemark.status import DROPPED_LATE, stream_statuses
from tidemark.topics import Topics

T = TypeVar("T")
Say = Callable[[str], None]

RECONCILE, BUILD = "reconcile_bronze", "build_marts"
COUNTS = {
    # About four events of a ride for each payment: so the payments find their rides.
    "ride_events": 200_000,
    "card_payments": 30_000,
    "sales_events": 100_000,
    "page_views": 10_000,
    "sensor_readings": 15_000,
    "app_logs": 15_000,
    "customers": 5_000,
}
RATES = ("--bad-rate", "0.02", "--duplicate-rate", "0.03", "--late-rate", "0.01")
MODELS = {
    "ride_events": ("stg_rides", "fct_rides_hourly"),
    "sales_events": ("stg_sales", "fct_product_sales_daily"),
    "card_payments": ("stg_payments", "fct_fraud_alerts"),
    "page_views": ("stg_page_views", "fct_sessions"),
    "sensor_readings": ("stg_sensor_readings", "fct_sensor_health"),
    "app_logs": ("stg_logs", "fct_service_errors"),
    "customers": ("stg_customers", "dim_customers"),
}

_LANDED_WITHIN = 300.0
_BUILT_WITHIN = 1200.0


@dataclass(frozen=True)
class Outcome:
    """What became of one contract's records."""

    contract: str
    produced: int
    good: int
    quarantined: Mapping[str, int]  # by reason
    proof: Mapping[str, Any]
    silver: int | None  # None: it has no model yet
    gold: int | None


@dataclass(frozen=True)
class StreamOutcome:
    """What a stream of the speed layer has written; `dropped` is what it dropped as late, as Spark counts it."""

    name: str
    state: str
    rows: int
    dropped: int


@dataclass(frozen=True)
class Demo:
    """What the demo found: each contract's outcome, each stream, the DAG's tasks, the seconds of each step."""

    outcomes: list[Outcome]
    streams: list[StreamOutcome]
    tasks: Mapping[str, str]
    seconds: Mapping[str, float]


def run_demo(settings: Settings, say: Say, scale: float = 1.0) -> Demo:
    """Run every step; raise at the first that fails.

    Args:
        scale: the share of COUNTS that is produced.

    Raises:
        TidemarkError: a step failed; it says which, and where to look.
    """
    known = read_contracts(settings.contracts_dir)
    contracts = [known[name] for name in COUNTS if name in known]
    seconds: dict[str, float] = {}

    def timed(step: str, act: Callable[[], T]) -> T:
        say(f"── {step}")
        began = time.monotonic()
        result = act()
        seconds[step] = time.monotonic() - began
        return result

    timed("start everything", lambda: lifecycle.up(settings, "all", say))
    seed = int(time.time())  # one for all: they tell of the same rides and customers
    produced = timed("produce", lambda: _at_once(contracts, lambda each: _produce(each, scale, seed, say)))
    timed("land in bronze", lambda: _await_landed(settings, contracts, say))
    today = datetime.now(UTC).date().isoformat()
    tasks = timed(f"Airflow runs {RECONCILE}", lambda: _run(settings, RECONCILE, {"date": today}, say))
    tasks |= timed(f"Airflow runs {BUILD}", lambda: _run(settings, BUILD, {}, say))
    proofs = timed("prove", lambda: _prove([each.id for each in contracts], say))
    outcomes = [_outcome(settings, each, produced[each.id], proofs[each.id]) for each in contracts]
    return Demo(outcomes, _streams(settings), tasks, seconds)


def links(settings: Settings) -> dict[str, str]:
    """Say where a person looks next."""
    docs = settings.home.absolute() / "docs"
    return {
        "Airflow": f"{airflow_url(settings)}/dags (user {ADMIN}, password in {password_file(settings)})",
        "what can be trusted": (docs / "trust" / "index.html").as_uri(),
        "quality report": (docs / "quality" / "index.html").as_uri(),
        "dbt docs": (docs / "dbt" / "static_index.html").as_uri(),
        "status": "tidemark status",
    }


def _at_once(contracts: list[Contract], act: Callable[[Contract], T]) -> dict[str, T]:
    """Do something for each contract, two at a time: each waits for a process."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip((each.id for each in contracts), pool.map(act, contracts), strict=True))


def _produce(contract: Contract, scale: float, seed: int, say: Say) -> int:
    count = max(1, round(COUNTS[contract.id] * scale))
    command = commands.produce(contract.id, count, "--seed", str(seed), *RATES)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # progress goes to the terminal
    if done.returncode:
        raise TidemarkError(f"{contract.id}: producing failed", "read the lines above")
    sent = json.loads(done.stdout)
    say(f"{contract.id}: {sent['produced']:,} sent, {sent['bad']:,} of them bad, {sent['duplicates']:,} twice")
    return int(sent["produced"])


def _await_landed(settings: Settings, contracts: list[Contract], say: Say) -> None:
    topics = Topics(settings.bootstrap)
    wanted = {each.id: sum(bound.last_stable for bound in topics.bounds(each.topic).values()) for each in contracts}
    deadline = time.monotonic() + _LANDED_WITHIN
    for name, count in wanted.items():
        ledger = Ledger(settings.table("bronze", name))
        while (landed := _landed(ledger)) < count:
            if time.monotonic() > deadline:
                what = f"{name}: {landed:,} of {count:,} offsets are in bronze after {_LANDED_WITHIN:.0f} seconds"
                raise TidemarkError(what, "tidemark status; tidemark logs streams")
            time.sleep(0.5)
        say(f"{name}: {count:,} offsets are in bronze")


def _landed(ledger: Ledger) -> int:
    newest = ledger.newest_ingest()
    return sum(ends(newest.label.ranges).values()) if newest and newest.label else 0


def _run(settings: Settings, dag: str, conf: Mapping[str, str], say: Say) -> dict[str, str]:
    """Run a DAG to its end; from then on it runs by itself.

    In a new lakehouse, the run takes the place of the scheduled one that unpausing would start.
    """
    api = AirflowApi(settings)
    api.wait_for_dag(dag, 120)
    run = api.trigger(dag, conf, api.due(dag) if api.is_paused(dag) else None)
    api.unpause(dag)
    return _followed(settings, dag, run, say)


def _followed(settings: Settings, dag: str, run: str, say: Say) -> dict[str, str]:
    """Follow a run to its end, which must be a success, and give its tasks' states."""
    seen: dict[str, str] = {}

    def see(tasks: dict[str, str]) -> None:
        for task, state in tasks.items():
            if state in ("success", "failed", "upstream_failed") and seen.get(task) != state:
                say(f"{dag}.{task}: {state}")
        seen.update(tasks)

    state = AirflowApi(settings).wait(dag, run, _BUILT_WITHIN, see)
    if state != "success":
        failed = ", ".join(task for task, found in seen.items() if found == "failed")
        raise TidemarkError(
            f"{dag}: the run {state}; failed: {failed}", f"{airflow_url(settings)}/dags/{dag}/runs/{run}"
        )
    return {f"{dag}.{task}": state for task, state in seen.items()}


def _prove(contracts: list[str], say: Say) -> dict[str, dict[str, Any]]:
    """Prove all in one process, and give each one's proof."""
    command = [*commands.prove(*contracts), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    proofs = {proof["contract"]: proof for proof in map(json.loads, done.stdout.splitlines())}
    for name in contracts:
        found = proofs.get(name, {})
        if found.get("verdict") != "proven":
            fix = " ".join(commands.prove(name))
            raise TidemarkError(f"{name}: not proven: {found.get('verdict', 'no verdict')}", fix)
        say(f"{name}: proven, {found['landed_once']:,} offsets landed once")
    return proofs


def _outcome(settings: Settings, contract: Contract, produced: int, proof: Mapping[str, Any]) -> Outcome:
    errors = DeltaTable(settings.table("bronze", contract.id)).to_pyarrow_dataset().to_table([ERRORS]).column(ERRORS)
    good = int(pc.sum(pc.equal(pc.list_value_length(errors), 0)).as_py() or 0)
    reasons = Counter(pc.list_flatten(errors).to_pylist())
    models = zip(("silver", "gold"), MODELS.get(contract.id, ()), strict=False)
    rows = {layer: _rows(settings.table(layer, model)) for layer, model in models}
    counts = (rows.get("silver"), rows.get("gold"))
    return Outcome(contract.id, produced, good, dict(reasons.most_common()), proof, *counts)


def _streams(settings: Settings) -> list[StreamOutcome]:
    """Tell of each table of the speed layer which state its stream is in."""
    states = {str(each["name"]): each for each in stream_statuses(settings)}
    found = []
    for path in sorted(Path(settings.lake_root, "speed").glob("*/_delta_log")):
        table = path.parent.name
        state = states.get(table) or states.get(f"current_{table.removesuffix('_history')}", {})
        rows = _rows(settings.table("speed", table))
        found.append(StreamOutcome(table, state.get("state", "gone"), rows, state.get(DROPPED_LATE, 0)))
    return found


def _rows(table: str) -> int:
    return int(DeltaTable(table).count())
