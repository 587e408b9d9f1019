"""What a model reads, as it stands, and whether that is another than it was: told from Delta's logs alone."""

from collections.abc import Mapping
from typing import Any

from tidemark.certificates import latest_tidemark
from tidemark.ledger import Ledger
from tidemark.settings import Settings

Standing = Mapping[str, Any] | None  # None: there is no table, or no proof of it

_PROVEN, _PROOFS = "bronze", "ops.tidemarks"


def standing(settings: Settings, table: str) -> Standing:
    """Say how a table stands now, as those see it who read it.

    Bronze is read as its newest proof looked at it: what is beyond that is no news, nor is a proof that adds nothing.

    Args:
        table: `<layer>.<table>`.
    """
    layer, _, name = table.partition(".")
    if layer != _PROVEN:
        version = Ledger(settings.table(layer, name)).latest_version()
        return None if version < 0 else {"version": version}
    proof = latest_tidemark(settings, name)
    if proof is None:
        return None
    below = {str(mark.partition): mark.tidemark for mark in proof.partitions}
    return {"version": proof.origin.table_version, "topic_id": proof.origin.topic_id, "below": below}


def all_standing(settings: Settings, tables: tuple[str, ...]) -> dict[str, Standing]:
    """Say how each of some tables stands; the proofs themselves are told with what they are of."""
    return {table: standing(settings, table) for table in tables if table != _PROOFS}


def is_news(settings: Settings, table: str, then: Standing, now: Standing) -> bool:
    """Tell whether there may be other rows to read of a table than there were then."""
    if then is None or now is None:
        return then is not now
    if {**then, "version": 0} != {**now, "version": 0}:
        return True
    return has_changed(settings, table, int(then["version"]), int(now["version"]))


def has_changed(settings: Settings, table: str, since: int, until: int) -> bool:
    """Tell whether a commit after a version, up to another, changed data; one that the log has lost may have."""
    if until < since:
        return True
    ledger = Ledger(settings.table(*table.split(".", 1)))
    for version in range(until, since, -1):
        commit = next(ledger.commits(version, version), None)
        if commit is None or commit.changes_data:
            return True
    return False
