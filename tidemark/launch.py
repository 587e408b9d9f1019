"""Become a service: `python -m tidemark.launch <file>` reads the command, environment and folder, and executes it.

The supervisor starts every service through it: its own configuration format can't hold all values (quotes, `%`, ` #`).
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Replace this process by the service."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.chdir(order["folder"])
    os.execvpe(order["command"][0], order["command"], os.environ | order["environment"])


if __name__ == "__main__":
    main()
