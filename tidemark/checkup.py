"""What a support engineer asks of a lakehouse that has run: each check says what it found, and is bad only if it is."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tidemark.check_finding import Finding
from tidemark.contracts import Contract, read_contracts
from tidemark.errors import TidemarkError
from tidemark.leases import held_leases
from tidemark.ledger import Ledger, ends
from tidemark.optional_services import absent
from tidemark.recover import checkpoint_state
from tidemark.settings import Settings, variable, without_password
from tidemark.status import service_statuses, stream_statuses
from tidemark.stream_looks import checkpoint_positions
from tidemark.supervisor import Supervisor
from tidemark.table_looks import contract_looks

_PROGRAMS = ("tidemark", "pyspark", "delta-spark", "deltalake", "dbt-core", "great-expectations")
_CLOCK = timedelta(seconds=60)
_UNPROVEN = timedelta(hours=26)
_LOG_BYTES = 500_000  # of the end of each log
_ERROR = re.compile(r"^(?P<at>\S+ \S+?) (?:ERROR|CRITICAL|FATAL) (?P<who>[\w.$-]+)", re.MULTILINE)
_NAMED = 3


def examine_running(settings: Settings) -> list[Finding]:
    """Look at what runs and at what it has left; nothing is changed."""
    checks: tuple[tuple[str, Callable[[Settings], Finding]], ...] = (
        ("Versions", versions),
        ("Clock", clock),
        ("Services", services),
        ("Streams", streams),
        ("Proofs", proofs),
        ("Ledgers and checkpoints", checkpoints),
        ("Leases", leases),
        ("Errors in logs", logged_errors),
        ("Settings", changed_settings),
    )
    return [_made(name, check, settings) for name, check in checks]


def versions(settings: Settings) -> Finding:
    """Tell what is installed."""
    return _fine("Versions", ", ".join(f"{name} {_version(name)}" for name in _PROGRAMS))


def clock(settings: Settings) -> Finding:
    """Check that nothing was written in the future: a clock that was put back makes old what is new."""
    logs = Path(settings.lake_root).glob("*/*/_delta_log")
    newest = max((path.stat().st_mtime for path in [*logs, *settings.logs.glob("*.log")]), default=0.0)
    found = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if newest > time.time() + _CLOCK.total_seconds():
        found += f", and something was written at {datetime.fromtimestamp(newest, UTC):%Y-%m-%d %H:%M:%S}"
        return Finding("Clock", is_ok=False, found=found, fix="set the clock, and let NTP keep it")
    return _fine("Clock", found)


def services(settings: Settings) -> Finding:
    """Check that every service that was started is ready."""
    if not Supervisor(settings).is_alive():
        return _fine("Services", "none is started")
    statuses = service_statuses(settings)
    wrong = [f"{each.name} is {each.state}" for each in statuses if each.state != "stopped" and not each.ready]
    ready = [each.name for each in statuses if each.ready]
    if wrong:
        fix = f"tidemark logs {wrong[0].split()[0]}"
        return Finding("Services", is_ok=False, found=", ".join(wrong), fix=fix)
    return _fine("Services", "; ".join([f"ready: {', '.join(ready) or 'none'}", *absent(settings)]))


def streams(settings: Settings) -> Finding:
    """Check that every stream runs."""
    told = stream_statuses(settings)
    if not told:
        return _fine("Streams", "their process does not run")
    wrong = [each for each in told if each["state"] not in ("running", "starting")]
    if wrong:
        named = "; ".join(f"{each['name']} is {each['state']}: {_first(each['last_error'])}" for each in wrong[:_NAMED])
        fix = "docs/runbooks/stream-stuck.md, docs/runbooks/stream-refused.md"
        return Finding("Streams", is_ok=False, found=f"{len(wrong)} of {len(told)}: {named}", fix=fix)
    warned = [f"{each['name']}: {each['warning']}" for each in told if each["warning"]]
    return _fine("Streams", "; ".join([f"{len(told)} run", *warned]))


def proofs(settings: Settings) -> Finding:
    """Check the newest proof of each contract's table."""
    now = datetime.now(UTC)
    looks = contract_looks(settings, [each.id for each in _landed(settings)], now)
    broken = [each.name for each in looks if each.verdict == "broken"]
    late = [each.name for each in looks if each.unproven_since and now - each.unproven_since > _UNPROVEN]
    if broken or late:
        sorts = ((broken, "broken"), (late, "not proven for a day"))
        found = "; ".join(f"{what}: {', '.join(names)}" for names, what in sorts if names)
        return Finding("Proofs", is_ok=False, found=found, fix=f"tidemark prove {' '.join([*broken, *late])}")
    told = [f"{each.name} {_age(each.proven_at, now)}" for each in looks]
    return _fine("Proofs", ", ".join(told) or "there is no table yet")


def checkpoints(settings: Settings) -> Finding:
    """Check that no stream's checkpoint is beyond its table's ledger: then rows were lost that were there."""
    beyond, states = [], []
    for contract in _landed(settings):
        known = _ends(settings, contract)
        taken = checkpoint_positions(settings.checkpoint(contract.bronze_query)).get(contract.topic, {})
        if any(offset > known.get(partition, offset) for partition, offset in taken.items()):
            beyond.append(contract.id)
        states.append(checkpoint_state(settings, contract, known)[0])
    if beyond:
        found = f"the checkpoint is beyond the ledger: {', '.join(beyond)}"
        return Finding("Ledgers and checkpoints", is_ok=False, found=found, fix=f"tidemark prove {' '.join(beyond)}")
    found = f"{states.count('ok')} of {len(states)} at the same offsets; the others go on at their ledger's end"
    return _fine("Ledgers and checkpoints", found)


def leases(settings: Settings) -> Finding:
    """Tell which jobs are at work."""
    return _fine("Leases", ", ".join(held_leases(settings.leases)) or "no job is at work")


def logged_errors(settings: Settings) -> Finding:
    """Tell the newest errors in the services' logs, by who wrote them: they may be long mended."""
    found = []
    for file in sorted(settings.logs.glob("*.log")):
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - _LOG_BYTES))
            errors = list(_ERROR.finditer(log.read().decode("utf-8", "replace")))
        if errors:
            found.append(f"{file.stem}: {len(errors)}, the last at {errors[-1]['at']} by {errors[-1]['who']}")
    return _fine("Errors in logs", "; ".join(found) or "none")


def changed_settings(settings: Settings) -> Finding:
    """Tell the settings that are not the defaults; an address is shown without its password."""
    return _fine("Settings", ", ".join(_changed(settings)) or "all as they come")


def _changed(settings: Settings) -> Iterator[str]:
    for name, info in type(settings).model_fields.items():
        value = getattr(settings, name)
        if value != info.default:
            yield f"{variable(name)}={value if info.repr else without_password(str(value))}"


def _landed(settings: Settings) -> list[Contract]:
    contracts = read_contracts(settings.contracts_dir).values()
    return [each for each in contracts if Ledger(settings.table("bronze", each.id)).exists()]


def _ends(settings: Settings, contract: Contract) -> dict[int, int]:
    newest = Ledger(settings.table("bronze", contract.id)).newest_ingest()
    return ends(newest.label.ranges) if newest and newest.label else {}


def _made(name: str, check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    """Make a check; one that can't be made is bad, and the others are made all the same."""
    try:
        return check(settings)
    except TidemarkError as error:
        return Finding(name, is_ok=False, found=error.what, fix=error.fix)
    except (OSError, json.JSONDecodeError, KeyError) as error:
        return Finding(name, is_ok=False, found=f"can't be told: {error!r}", fix="mend what that says")


def _fine(name: str, found: str) -> Finding:
    return Finding(name, is_ok=True, found=found, fix="")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is missing"


def _age(at: datetime | None, now: datetime) -> str:
    return "never" if at is None else f"{(now - at) // timedelta(minutes=1):,} min ago"


def _first(text: str) -> str:
    return next(iter(text.splitlines()), "")[:200]
