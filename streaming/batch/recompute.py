"""Recompute a day of the speed layer: `python -m streaming.batch.recompute <day> [--only STREAM ...] [--dry-run]`

Each stream's rows of the day are worked out from bronze by the stream's own transform, and take the place of the
provisional ones: late, repaired and imported records count now. They are final: no stream changes them any more. A
second run finds nothing to change.
"""

import argparse
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from rich.console import Console
from rich.table import Table

from streaming.batch.completeness import HeldUp, Reach, check_complete
from streaming.batch.jobs import finish
from streaming.batch.layer_day import LayerDay
from streaming.batch.row_differences import differences
from streaming.batch.scratch import scratch
from streaming.row_comparison import Compared
from streaming.session import batch_session
from streaming.speed import SpeedLayer, speed_table
from streaming.streams.layers import chosen, layers_of
from tidemark.contracts import Contract, read_contracts
from tidemark.errors import TidemarkError
from tidemark.leases import leased
from tidemark.reconciliations import Reconciliation, record, record_differences
from tidemark.settings import Settings

Put = Callable[[pa.Table | None, datetime], Compared]

_FAILURES = (TidemarkError, PySparkException, Py4JJavaError, DeltaError, pa.ArrowException, OSError)
_SHOWN = 300  # characters of an error


class Recompute:
    """One run over a day: each layer on its own, so that one that fails holds up no other."""

    def __init__(
        self, settings: Settings, contracts: Mapping[str, Contract], spark: SparkSession, day: date, is_dry: bool
    ) -> None:
        self._settings, self._contracts, self._spark = settings, contracts, spark
        self._day, self._is_dry = day, is_dry
        self._id = str(uuid.uuid4())
        self._now = datetime.now(UTC)

    def run(self, layer: SpeedLayer) -> Reconciliation:
        """Recompute one layer, and record what came of it; what holds it up, or a failure, is its outcome."""
        began = time.monotonic()
        begun = Reconciliation("recompute", layer.name, self._day, "done", 0, 0, 0, 0, None, 0, None, 0.0, "", self._id)
        try:
            done = self._recomputed(layer, begun)
        except HeldUp as held_up:
            done = replace(begun, outcome=held_up.outcome, reason=str(held_up))
        except _FAILURES as error:
            done = replace(begun, outcome="failed", reason=f"{type(error).__name__}: {error}"[:_SHOWN])
        done = replace(done, seconds=round(time.monotonic() - began, 3))
        if not self._is_dry:
            record(self._settings, done)
        return done

    def _recomputed(self, layer: SpeedLayer, begun: Reconciliation) -> Reconciliation:
        day = LayerDay(layer, self._contracts, self._settings, self._day)
        path, table = self._settings.table("speed", layer.name), speed_table(layer, self._settings)
        self._check(layer, day.reach())
        if self._is_dry:
            if not DeltaTable.is_deltatable(path):
                raise HeldUp("skipped", "there is no table yet: its stream makes it")
            return self._each_hour(layer, day, begun, table.compare_hour)
        table.create(to_arrow_schema(layer.schema))
        with leased(self._settings.leases, f"speed.{layer.name}", path, self._day, "recompute") as lease:
            put = partial(table.replace_hour, fence=lease.fence, announce=partial(self._announce, layer, begun))
            return self._each_hour(layer, day, begun, put)

    def _each_hour(self, layer: SpeedLayer, day: LayerDay, begun: Reconciliation, put: Put) -> Reconciliation:
        counts: Counter[str] = Counter()
        with scratch(self._settings) as folder:
            for hour, rows in day.hours(self._set_aside(layer, day, folder)):
                found = put(rows, hour)
                wanted = len(found.missing) + len(found.different) + len(found.equal)
                counts.update(rows=wanted, missing=len(found.missing), extra=len(found.extra))
                counts.update(different=len(found.different), changes=found.changes)
        return replace(
            begun,
            compared=counts["rows"],
            missing=counts["missing"],
            extra=counts["extra"],
            different=counts["different"],
            repaired=0 if self._is_dry else counts["changes"],
        )

    def _set_aside(self, layer: SpeedLayer, day: LayerDay, folder: Path) -> Path:
        """Work the day out; further ahead where a window goes on beyond what was read."""
        times = 1
        while True:
            reach, part = day.reach(times), folder / str(times)
            self._check(layer, reach)
            day.set_aside(self._spark, reach, part)
            if not day.goes_on(reach, part):
                return part
            times *= 2

    def _check(self, layer: SpeedLayer, reach: Reach) -> None:
        if not layer.is_recomputed:
            raise HeldUp("skipped", "not recomputed: it reads tables as they are now, not as they were")
        if self._day >= self._now.date():
            raise HeldUp("open", f"{self._day} is not over (UTC)")
        for name in layer.contracts:
            check_complete(self._settings, self._contracts[name], reach, self._now)

    def _announce(self, layer: SpeedLayer, begun: Reconciliation, found: Compared) -> None:
        columns = [column for name in layer.contracts for column in self._contracts[name].columns]
        personal = {column.name for column in columns if column.pii}
        record_differences(self._settings, begun, differences(found, layer.key, personal))


def main() -> int:
    """Recompute each layer, or only say what would change."""
    arguments = _arguments()
    settings = Settings.load()
    contracts = read_contracts(settings.contracts_dir)
    layers = chosen(layers_of(contracts), arguments.only)
    done = []
    with batch_session(settings) as spark:
        recompute = Recompute(settings, contracts, spark, arguments.day, arguments.dry_run)
        for layer in layers:
            done.append(recompute.run(layer))
            line = f"{layer.name}: {done[-1].outcome}, {done[-1].seconds:.1f} s"
            Console(stderr=True).print(line, highlight=False, soft_wrap=True)
    _report(done, arguments)
    # What failed was stopped by something outside of the day, such as a warehouse that went: later it may be there.
    return 2 if any(each.outcome == "failed" for each in done) else 0


def _report(done: Sequence[Reconciliation], arguments: argparse.Namespace) -> None:
    if arguments.json:
        streams = [asdict(each) for each in done]
        print(json.dumps({"day": arguments.day, "dry_run": arguments.dry_run, "streams": streams}, default=str))
        return
    what = "would change" if arguments.dry_run else "final"
    table = Table("stream", "rows", "missing", "extra", "different", "outcome", title=f"{arguments.day}: {what}")
    for each in done:
        counts = (each.compared, each.missing, each.extra, each.different)
        shown = [f"{count:,}" for count in counts] if each.outcome == "done" else ["", "", "", ""]
        table.add_row(each.subject, *shown, each.outcome)
    console = Console()
    console.print(table)
    for each in done:
        if each.reason:
            console.print(f"  {each.subject}: {each.reason}", highlight=False, markup=False, soft_wrap=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tidemark recompute", description=__doc__)
    parser.add_argument("day", type=date.fromisoformat)
    parser.add_argument("--only", nargs="+", action="extend", metavar="STREAM")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    finish(main)
