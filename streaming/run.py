"""The always-on process: every stream in one driver. `python -m streaming.run [--only NAME ...]`"""

import argparse
import logging
import signal
import threading
import time
from contextlib import ExitStack

from pyspark.sql import SparkSession

from streaming.announcements import announcing
from streaming.health import serve_health
from streaming.host import Stream, StreamHost
from streaming.session import streams_session
from streaming.speed import SpeedStream
from streaming.streams.bronze import BronzeStream
from streaming.streams.changes import ChangeStream
from streaming.streams.layers import chosen, layers_of
from streaming.streams.mirror import MirrorStream
from tidemark.contracts import BRONZE, Contract, read_contracts
from tidemark.errors import TidemarkError
from tidemark.locks import exclusive, owner_lock
from tidemark.settings import Settings

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_BRONZE_SECONDS = 30.0  # the longest that others wait for it


def main() -> None:
    """Start every stream and keep it running until SIGTERM or SIGINT."""
    settings = Settings.load()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    streams = chosen(all_streams(settings, read_contracts(settings.contracts_dir)), arguments().only)
    with ExitStack() as held:
        # Before Spark starts: a second live instance of a query is refused at once.
        owned = {stream.name: held.enter_context(ExitStack()) for stream in streams}
        for name, own in owned.items():
            own.enter_context(exclusive(owner_lock(settings.locks, name), f"stream {name}", 5.0))
        spark = streams_session(settings)
        hosts = [StreamHost(stream, spark, owned[stream.name]) for stream in streams]
        threading.Thread(target=_start_all, args=(hosts, stop), daemon=True).start()
        landing = [stream.name.removeprefix(BRONZE) for stream in streams if stream.name.startswith(BRONZE)]
        with serve_health(settings, [host.state for host in hosts]), announcing(settings, landing):
            _await_end(stop, spark)
            log.info("stopping: the running micro-batches finish first")
            _stop_all(hosts)
        spark.stop()


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m streaming.run", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run these streams and no others")
    return parser.parse_args()


def all_streams(settings: Settings, contracts: dict[str, Contract]) -> list[Stream]:
    """List every stream: bronze for each contract, what else contracts ask for, and the speed layers."""
    streams: list[Stream] = [BronzeStream(contract, settings) for contract in contracts.values()]
    streams += [ChangeStream(each, settings) for each in contracts.values() if each.format == "debezium"]
    read = {contract.topic for contract in contracts.values()}
    streams += [MirrorStream(each, settings, read) for each in contracts.values() if each.mirror]
    return [*streams, *(SpeedStream(layer, contracts, settings) for layer in layers_of(contracts))]


def _await_end(stop: threading.Event, spark: SparkSession) -> None:
    """Wait until somebody stops it.

    Raises:
        TidemarkError: Spark's JVM has ended, so no stream will ever start again; who supervises this process starts
            it anew.
    """
    gateway = spark.sparkContext._gateway
    while not stop.wait(_LOOK_SECONDS):
        code = gateway.proc.poll() if gateway else None
        if code is not None:
            raise TidemarkError(f"Spark's JVM has ended with {code}", "its own last words are above, in this log")


def _start_all(hosts: list[StreamHost], stop: threading.Event) -> None:
    """Start bronze first: a start is hard work for the processor, so the others wait for its first micro-batches."""
    first = [host for host in hosts if host.state.name.startswith(BRONZE)]
    for host in first:
        host.start()
    deadline = time.monotonic() + _BRONZE_SECONDS
    while not all(host.has_begun for host in first) and time.monotonic() < deadline:
        if stop.wait(0.1):
            return
    for host in hosts:
        if host not in first:
            host.start()


def _stop_all(hosts: list[StreamHost]) -> None:
    stopping = [threading.Thread(target=host.stop) for host in hosts]
    for thread in stopping:
        thread.start()
    for thread in stopping:
        thread.join()


if __name__ == "__main__":
    try:
        main()
    except TidemarkError as error:
        raise SystemExit(f"error: {error}") from None
