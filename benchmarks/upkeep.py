"""Measure what a day's reconcile costs as the table around it is larger. `python -m benchmarks.upkeep`

For each size: a topic with so many old records and one day of new ones, its bronze table, proven before that day came.
Then the day is reconciled several times, each in a process of its own; quote the medians.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.load import fill
from benchmarks.report import page
from streaming.session import streams_session
from streaming.streams.bronze import BronzeStream
from tests.kafka import Broker, running_broker
from tests.streams import land
from tidemark.contracts import Contract, read_contract
from tidemark.services import settings_environment
from tidemark.settings import ROOT, Settings
from tidemark.topics import Topics

PARTITIONS = 2


class Table:
    """A bronze table with old records and a new day."""

    def __init__(self, folder: Path, broker: Broker, name: str) -> None:
        contracts = folder / "contracts"
        contracts.mkdir(parents=True)
        text = (ROOT / "contracts" / "ride_events.yaml").read_text()
        path = contracts / "ride_events.yaml"
        path.write_text(text.replace("topic: ride_events", f"topic: {name}"))
        self.contract: Contract = read_contract(path)
        self.settings = Settings(home=folder, kafka_bootstrap=broker.bootstrap, contracts_dir=contracts)
        Topics(broker.bootstrap).ensure(name, PARTITIONS)

    def run(self, *words: str) -> tuple[float, float]:
        """Run a command of ours; give its seconds and its CPU seconds."""
        environment = os.environ | settings_environment(self.settings)
        began = time.monotonic()
        with subprocess.Popen([sys.executable, "-m", *words], env=environment, stdout=subprocess.DEVNULL) as process:
            used = _cpu_of(process)
        if process.returncode:
            raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
        return time.monotonic() - began, used


def main() -> None:
    """Build each table, reconcile its new day, and print what it cost."""
    arguments = _arguments()
    lines = ["| size of the table | seconds | CPU-seconds |", "| --- | ---: | ---: |"]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        (folder / "kafka").mkdir()
        spark = streams_session(Settings(home=folder, streams_memory="3g"))
        with running_broker(folder / "kafka") as broker:
            for size in arguments.sizes:
                table = Table(folder / str(size), broker, f"bench_{size}")
                stream = BronzeStream(table.contract, table.settings)
                for count, age in ((size * arguments.records, timedelta(days=1)), (arguments.records, timedelta())):
                    fill(broker.bootstrap, table.contract.topic, count, age)
                    land(stream, spark)
                    if age:
                        table.run("tidemark", "prove", table.contract.id)
                lines.append(_line(size, [_reconciled(table) for _ in range(arguments.passes)]))
                print(lines[-1], flush=True)
    title = f"Reconcile of a day with {arguments.records:,} new records"
    page(ROOT / "benchmarks" / "upkeep.md", title, "python -m benchmarks.upkeep", lines)


def _reconciled(table: Table) -> tuple[float, float]:
    day = datetime.now(UTC).date().isoformat()
    return table.run("tidemark", "reconcile", table.contract.id, "--date", day)


def _line(size: int, passes: Sequence[tuple[float, float]]) -> str:
    seconds, used = (median(each) for each in zip(*passes, strict=True))
    return f"| {size}x | {seconds:.2f} | {used:.2f} |"


def _cpu_of(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process and give its CPU seconds: what all our ended children have used since."""
    before = os.times()
    process.wait()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upkeep", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="of the new day")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--folder", default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
