"""All streams of one driver: started in order, stopped together, and one of them started anew beside the others."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from pyspark.sql import SparkSession

from streaming.host import Stream, StreamHost, StreamState
from tidemark.contracts import BRONZE
from tidemark.errors import TidemarkError
from tidemark.locks import exclusive, owner_lock
from tidemark.settings import Settings

log = logging.getLogger(__name__)

_BRONZE_SECONDS = 30.0  # the longest that others wait for it

MadeAnew = Callable[[str], Stream]


class Hosts:
    """The streams that this process owns."""

    def __init__(
        self, settings: Settings, spark: SparkSession, owned: Mapping[str, ExitStack], streams: Sequence[Stream]
    ) -> None:
        """Take the streams, and of each by its name the lock that makes this its one live instance."""
        self._settings, self._spark, self._owned = settings, spark, owned
        self._hosts = [StreamHost(stream, spark, owned[stream.name]) for stream in streams]
        self._one_at_a_time = threading.Lock()
        self.states: list[StreamState] = [host.state for host in self._hosts]

    def start(self, stop: threading.Event) -> None:
        """Start bronze first: a start is hard work for the processor, so others wait for its first micro-batches."""
        first = [host for host in self._hosts if host.state.name.startswith(BRONZE)]
        others = [host for host in self._hosts if host not in first]
        for host in first:
            host.start()
        deadline = time.monotonic() + _BRONZE_SECONDS
        while not all(host.has_begun for host in first) and time.monotonic() < deadline:
            if stop.wait(0.1):
                return
        for host in others:
            host.start()

    def stop(self) -> None:
        """Let all running micro-batches finish, and stop all streams."""
        stopping = [threading.Thread(target=host.stop) for host in self._hosts]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()

    def restart(self, name: str, made_anew: MadeAnew) -> None:
        """Stop one stream after its micro-batch, and start it by its contract of now; the others go on.

        Raises:
            TidemarkError: there is no such stream, its contract is not valid (it goes on as it was), or it does not
                stop.
        """
        with self._one_at_a_time:
            place = next((at for at, state in enumerate(self.states) if state.name == name), None)
            if place is None:
                known = ", ".join(state.name for state in self.states)
                raise TidemarkError(f"there is no stream {name!r} in this process", f"one of: {known}")
            stream = made_anew(name)
            self._hosts[place].stop()
            if self._hosts[place].is_alive:
                raise TidemarkError(f"{name} did not stop", "tidemark restart streams")
            self._own_again(name, self.states[place])
            self._hosts[place] = StreamHost(stream, self._spark, self._owned[name])
            self.states[place] = self._hosts[place].state
            self._hosts[place].start()
            log.info("%s: was restarted alone", name)

    def _own_again(self, name: str, was: StreamState) -> None:
        """Take the owner's lock again of a stream that was refused, and so gave it back."""
        if was.state == "refused":
            lock = owner_lock(self._settings.locks, name)
            self._owned[name].enter_context(exclusive(lock, f"stream {name}"))
