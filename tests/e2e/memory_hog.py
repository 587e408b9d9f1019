"""Take memory until little is left, and hold that: what others need it gives back. A process of its own."""

import mmap
import time
from pathlib import Path

import psutil

_STEP = 64 * 2**20  # bytes
_LEAST, _MOST = 0.045, 0.055  # of the machine's memory, that is left
_LOOK_SECONDS = 0.05


def main() -> None:
    """Hold memory until somebody ends it."""
    # Where the system must end a process, it shall be this one.
    Path("/proc/self/oom_score_adj").write_text("1000")
    held: list[mmap.mmap] = []
    while True:
        memory = psutil.virtual_memory()
        left = memory.available / memory.total
        if left > _MOST:
            taken = mmap.mmap(-1, _STEP, flags=mmap.MAP_PRIVATE)
            for page in range(0, _STEP, mmap.PAGESIZE):
                taken[page] = 1  # what is not written is not taken
            held.append(taken)
        elif left < _LEAST and held:
            held.pop().close()
        else:
            time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main()
