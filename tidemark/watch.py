"""Watch: one look at every stream and table, the incidents that it opens and closes, and what a restart may mend."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from tidemark import lifecycle
from tidemark.contracts import Contract, read_contracts
from tidemark.incidents import (
    MENDED_BY_RESTART,
    PROCESS,
    Finding,
    Incident,
    contract_findings,
    mended,
    poison_findings,
    process_findings,
    remember,
    stream_findings,
)
from tidemark.private_files import private_folder, write_private
from tidemark.settings import Settings
from tidemark.status import stream_statuses
from tidemark.stream_looks import ProcessLook, StreamLook, process_look, stream_looks
from tidemark.supervisor import Supervisor
from tidemark.table_looks import ContractLook, TableLook, contract_looks, table_looks
from tidemark.waiting import Say

_PATIENCE = timedelta(minutes=4)


@dataclass(frozen=True)
class Look:
    """What a look found."""

    at: datetime
    process: ProcessLook
    streams: list[StreamLook]
    contracts: list[ContractLook]
    tables: list[TableLook]
    incidents: list[Incident]  # those that are open


_AS_JSON = TypeAdapter(Look)


def watch(settings: Settings, say: Say, *, may_mend: bool = False) -> Look:
    """Look at everything, open and close incidents, and keep the look for the next one and for the Streams page.

    Args:
        may_mend: restart the streams' process, once for each incident that this may end.

    Raises:
        TidemarkError: Kafka or a table can't be read.
    """
    look = looked(settings, read_contracts(settings.contracts_dir), last_look(settings), datetime.now(UTC))
    open_ones = remember(settings, findings(look, settings), look.at, may_close=not look.process.is_settling(look.at))
    look = replace(look, incidents=open_ones)
    _keep(settings, look)
    if may_mend:
        look = replace(look, incidents=mend(settings, open_ones, say))
        _keep(settings, look)
    return look


def looked(settings: Settings, contracts: Mapping[str, Contract], before: Look | None, at: datetime) -> Look:
    """Look at every stream and table; `before` is the look to compare with."""
    told = stream_statuses(settings)
    supervised = Supervisor(settings).processes().get(PROCESS)
    process = process_look(bool(told), supervised, before.process if before else None, at)
    earlier = {stream.name: stream for stream in before.streams} if before else {}
    streams = stream_looks(settings, contracts, told, earlier, at)
    return Look(at, process, streams, contract_looks(settings, list(contracts), at), table_looks(settings, at), [])


def findings(look: Look, settings: Settings) -> Iterator[Finding]:
    """Find all that is wrong; of streams whose process does not answer, or has just begun, nothing can be told."""
    yield from process_findings(look.process, look.at)
    if look.process.state == "running":
        for finding in chain.from_iterable(stream_findings(each, settings, look.at) for each in look.streams):
            if finding.kind == "refused" or not look.process.is_settling(look.at):
                yield finding
    yield from poison_findings(settings, look.at)
    yield from chain.from_iterable(contract_findings(each, look.at) for each in look.contracts)


def mend(settings: Settings, incidents: list[Incident], say: Say, service: str = PROCESS) -> list[Incident]:
    """Restart the streams' process for what that may end and it was not yet restarted for; give all incidents.

    It is done at a look that still finds it: on a busy machine a micro-batch may take minutes, and a restart longer.

    Raises:
        TidemarkError: it does not get ready.
    """
    now = datetime.now(UTC)
    stuck = [each for each in incidents if each.kind in MENDED_BY_RESTART and each.mended_at is None]
    stuck = [each for each in stuck if now - each.opened_at >= _PATIENCE]
    if not stuck:
        return incidents
    names = ", ".join(f"{each.stream} ({each.kind})" for each in stuck)
    if not Supervisor(settings).is_alive():
        say(f"{names}: not restarted: it is not run by this machine's supervisor")
        return incidents
    say(f"{names}: restarting {service}, once for each incident")
    # Noted first: should the restart fail, it is not done again and again.
    noted = {each.incident_id: each for each in mended(settings, stuck, now)}
    lifecycle.restart(settings, service, say)
    return [noted.get(each.incident_id, each) for each in incidents]


def look_file(settings: Settings) -> Path:
    """Say where the newest look is kept."""
    return settings.run / "watch.json"


def last_look(settings: Settings) -> Look | None:
    """Give the newest look; None: there is none, or one of another version of this program."""
    try:
        return _AS_JSON.validate_json(look_file(settings).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def as_json(look: Look) -> str:
    """Write a look as JSON."""
    return _AS_JSON.dump_json(look, indent=2).decode()


def _keep(settings: Settings, look: Look) -> None:
    private_folder(settings.run)
    write_private(look_file(settings), as_json(look))
