"""The always-on process: every stream in one driver. `python -m streaming.run [--only NAME ...]`"""

import argparse
import logging
import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from pyspark.sql import SparkSession

from streaming.announcements import announcing
from streaming.control import Control
from streaming.health import serve_health
from streaming.host import Stream
from streaming.hosts import Hosts
from streaming.pace import processors, slow_down
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


def main() -> None:
    """Start every stream and keep it running until SIGTERM or SIGINT."""
    settings = Settings.load()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for talkative in ("py4j", "httpx2"):  # the second one tells of each request to the registry, with its address
        logging.getLogger(talkative).setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    only = arguments().only
    streams = paced_streams(settings, only)
    with ExitStack() as held:
        # Before Spark starts: a second live instance of a query is refused at once.
        owned = {stream.name: held.enter_context(ExitStack()) for stream in streams}
        for name, own in owned.items():
            own.enter_context(exclusive(owner_lock(settings.locks, name), f"stream {name}", 5.0))
        spark = streams_session(settings)
        hosts = Hosts(settings, spark, owned, streams)
        threading.Thread(target=hosts.start, args=(stop,), daemon=True).start()
        landing = [stream.name.removeprefix(BRONZE) for stream in streams if stream.name.startswith(BRONZE)]
        control = Control(settings, lambda name: hosts.restart(name, partial(made_anew, settings, only)))
        with serve_health(settings, hosts.states, spark, control), announcing(settings, landing):
            _await_end(stop, spark)
            log.info("stopping: the running micro-batches finish first")
            hosts.stop()
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


def paced_streams(settings: Settings, only: Sequence[str] | None) -> list[Stream]:
    """Make the streams that run in this process, each so often as all of them together may.

    Raises:
        TidemarkError: a contract is not valid, or there is no stream of such a name.
    """
    streams = chosen(all_streams(settings, read_contracts(settings.contracts_dir)), only)
    slow_down(streams, settings.streams_share * processors())
    return streams


def made_anew(settings: Settings, only: Sequence[str] | None, name: str) -> Stream:
    """Make one stream by the contracts of now.

    Raises:
        TidemarkError: a contract is not valid, or asks for no such stream any more.
    """
    (stream,) = chosen(paced_streams(settings, only), [name])
    return stream


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


if __name__ == "__main__":
    try:
        main()
    except TidemarkError as error:
        raise SystemExit(f"error: {error}") from None
