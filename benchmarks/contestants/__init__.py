"""The contestants, each a process of its own.

A contestant reads commands from standard input, one a line: `pass TOPIC FOLDER` takes a whole topic into a folder and
says `done`; `follow TOPIC FOLDER` keeps writing a topic until the next line, `stop`.
"""

import sys
from collections.abc import Callable
from pathlib import Path

Take = Callable[[str, Path], None]
Follow = Callable[[str, Path], Callable[[], None]]


def serve(take: Take, follow: Follow | None = None) -> None:
    """Obey the benchmark's commands until it closes the pipe."""
    print("ready", flush=True)
    stop: Callable[[], None] = lambda: None  # noqa: E731
    for line in sys.stdin:
        command, *words = line.split()
        if command == "pass":
            take(words[0], Path(words[1]))
        elif command == "follow" and follow is not None:
            stop = follow(words[0], Path(words[1]))
        elif command == "stop":
            stop()
        print("done", flush=True)
