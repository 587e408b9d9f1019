"""Run the streams, and die by SIGKILL at a seam of the write.

`python -m tests.e2e.die_at_seam before|after BATCH [arguments of streaming.run]`

`before`: the offset log has the batch, the table has not. `after`: the table has it, the checkpoint's commit log not.
"""

import os
import signal
import sys

from pyspark.sql import DataFrame

from streaming import run
from streaming.sinks import append
from streaming.streams import bronze
from tidemark.ledger import Label


def main() -> None:
    """Put the trap where the stream commits, then run as usual."""
    seam, batch = sys.argv.pop(1), int(sys.argv.pop(1))

    def trapped(rows: DataFrame, path: str, label: Label) -> None:
        if seam == "before" and label.batch == batch:
            os.kill(os.getpid(), signal.SIGKILL)
        append(rows, path, label)
        if seam == "after" and label.batch == batch:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(bronze, "append", trapped)  # noqa: B010 - it is the module's own import that is replaced
    run.main()


if __name__ == "__main__":
    main()
