"""Incidents: what a look at the streams finds wrong, and `ops.incidents`, which remembers it until it is over."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from tidemark.errors import TidemarkError
from tidemark.locks import exclusive
from tidemark.ops_tables import INCIDENTS, SCHEMAS, append, opened
from tidemark.poisoned import poisoned_since
from tidemark.settings import Settings
from tidemark.stream_looks import ProcessLook, StreamLook
from tidemark.table_looks import ContractLook

Kind = Literal[
    "process_stopped", "process_silent", "stopped", "refused", "stuck", "restarting", "poisoned", "tidemark_stalled"
]

PROCESS = "streams"
MENDED_BY_RESTART: frozenset[Kind] = frozenset(("process_silent", "stopped", "stuck"))

_STUCK, _REFUSED, _STALLED, _BROKEN, _POISONED = (
    f"docs/runbooks/{page}.md"
    for page in ("stream-stuck", "stream-refused", "tidemark-stalled", "proof-broken", "stream-poisoned")
)
_STUCK_AT_LEAST = timedelta(minutes=2)
_TRIGGERS = 3  # without a commit
_RESTARTS = 3  # within five minutes; one alone is what restarts are for
_STALLED_AFTER = timedelta(hours=26)  # build_marts and reconcile_bronze prove every table once a day
_POISONED_FOR = timedelta(hours=24)  # after the last one was found, nobody need be told again
_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Finding:
    """Something that is wrong now."""

    kind: Kind
    stream: str
    since: datetime
    what: str
    runbook: str


@dataclass(frozen=True)
class Incident:
    """A finding, from the look that saw it first to the one that does not see it any more."""

    incident_id: str
    kind: Kind
    stream: str
    since: datetime
    what: str
    runbook: str
    opened_at: datetime
    mended_at: datetime | None = None  # when the streams were restarted for it
    closed_at: datetime | None = None


def process_findings(process: ProcessLook, at: datetime) -> Iterator[Finding]:
    """Find what is wrong with the process of all streams."""
    if process.state == "stopped":
        what = "the streams' process does not run: `make stream-up` starts it"
        yield Finding("process_stopped", PROCESS, at, what, _STUCK)
    if process.state == "silent":
        what = "the streams' process does not answer: it hangs, or ends as soon as it is started"
        yield Finding("process_silent", PROCESS, process.silent_since or at, what, _STUCK)


def stream_findings(stream: StreamLook, settings: Settings, at: datetime) -> Iterator[Finding]:
    """Find what is wrong with one stream of a process that runs."""
    limit = max(_STUCK_AT_LEAST, _TRIGGERS * timedelta(milliseconds=settings.batch_interval_ms))
    restarts = stream.restarts - stream.restarts_before
    if stream.state == "refused":
        yield Finding("refused", stream.name, at, stream.last_error, _REFUSED)
    elif stream.state == "stopped":
        yield Finding("stopped", stream.name, at, stream.last_error or "its query has ended", _STUCK)
    elif restarts >= _RESTARTS:
        what = f"started again {restarts} times: {stream.last_error}"
        yield Finding("restarting", stream.name, stream.restarts_before_at, what, _STUCK)
    elif stream.waiting_since and at - stream.waiting_since > limit:
        what = f"{stream.lag:,} offsets wait, and it commits nothing"
        yield Finding("stuck", stream.name, stream.waiting_since, what, _STUCK)


def poison_findings(settings: Settings, at: datetime) -> Iterator[Finding]:
    """Find the streams that quarantined records unread, since they can't be evaluated."""
    found: dict[str, list[datetime]] = {}
    for stream, found_at in poisoned_since(settings, at - _POISONED_FOR):
        found.setdefault(stream, []).append(found_at)
    for stream, times in sorted(found.items()):
        what = f"{len(times):,} records can't be evaluated, and are in quarantine: ops.poisoned_offsets says why"
        yield Finding("poisoned", stream, min(times), what, _POISONED)


def contract_findings(contract: ContractLook, at: datetime) -> Iterator[Finding]:
    """Find what is wrong with the proof of a table."""
    if contract.verdict == "broken":
        what = "the newest proof found records that are lost, doubled or altered"
        yield Finding("tidemark_stalled", contract.name, contract.proven_at or at, what, _BROKEN)
    elif contract.unproven_since and at - contract.unproven_since > _STALLED_AFTER:
        hours = _STALLED_AFTER // timedelta(hours=1)
        what = f"no good proof for {hours} hours, while records land: nothing is built of them"
        yield Finding("tidemark_stalled", contract.name, contract.unproven_since, what, _STALLED)


def remember(settings: Settings, found: Iterable[Finding], at: datetime, *, may_close: bool = True) -> list[Incident]:
    """Open what is new, close what is over, and give what is open: a finding seen again is the same incident.

    Args:
        may_close: False: too little is known to say that anything is over.
    """
    with exclusive(settings.locks / "incidents", "ops.incidents", _LOCK_SECONDS):
        known = {(each.kind, each.stream): each for each in open_incidents(settings)}
        now = {(each.kind, each.stream): each for each in found}
        new = [_opened(each, at) for key, each in now.items() if key not in known]
        over = [each for key, each in known.items() if may_close and key not in now]
        _write(settings, [*new, *(replace(each, closed_at=at) for each in over)])
    return [*new, *(each for each in known.values() if each not in over)]


def mended(settings: Settings, incidents: Sequence[Incident], at: datetime) -> list[Incident]:
    """Note that the streams are restarted for some incidents."""
    noted = [replace(each, mended_at=at) for each in incidents]
    with exclusive(settings.locks / "incidents", "ops.incidents", _LOCK_SECONDS):
        _write(settings, noted)
    return noted


def open_incidents(settings: Settings) -> list[Incident]:
    """Give the incidents that are not over, the oldest first."""
    table = opened(settings, INCIDENTS)
    rows = table.to_table(filter=ds.field("closed_at").is_null()).to_pylist() if table else []
    return sorted((Incident(**row) for row in rows), key=lambda each: each.opened_at)


def _opened(finding: Finding, at: datetime) -> Incident:
    return Incident(str(uuid.uuid4()), **asdict(finding), opened_at=at)


def _write(settings: Settings, incidents: list[Incident]) -> None:
    if not incidents:
        return
    rows, path = [asdict(each) for each in incidents], settings.table("ops", INCIDENTS)
    if not DeltaTable.is_deltatable(path):
        append(settings, INCIDENTS, rows)
        return
    same = "new.incident_id = old.incident_id"
    try:
        source = pa.Table.from_pylist(rows, schema=SCHEMAS[INCIDENTS])
        merge = DeltaTable(path).merge(source, same, source_alias="new", target_alias="old")
        merge.when_matched_update_all().when_not_matched_insert_all().execute()
    except DeltaError as error:
        raise TidemarkError(f"{path}: can't be written: {error}") from None
