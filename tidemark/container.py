"""One service in a container of its own: `python -m tidemark.container run NAME` and `... ready NAME`

A container has no supervisor: its engine restarts it and asks whether it is ready. What is run, and what is asked, is
what one machine's supervisor would run and ask.
"""

import argparse
import os

from tidemark.errors import TidemarkError
from tidemark.services import Service, all_services, find_service
from tidemark.settings import Settings


def main() -> None:
    """Become the service, or say by the exit code whether it is ready."""
    asked = _arguments()
    settings = Settings.load()
    service = find_service(settings, asked.service)
    if asked.action == "ready":
        # Which of the container's processes it is, nobody tells us: an answer may be its predecessor's, for a moment.
        raise SystemExit(not service.probe.ready(since=0.0))
    prepare(settings, service)
    become(service)


def prepare(settings: Settings, service: Service) -> None:
    """Make what the service needs; what several need, the first of them makes, and is ready before the others start.

    Raises:
        TidemarkError: it can't be made.
    """
    service.folder.mkdir(parents=True, exist_ok=True)
    first = next(each for each in all_services(settings) if each.prepare is service.prepare)
    if service.prepare and service.name == first.name:
        service.prepare(settings)


def become(service: Service) -> None:
    """Replace this process by the service, so that a signal to this process is one to it."""
    os.chdir(service.folder)
    os.execvpe(service.command[0], service.command, os.environ | service.environment)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tidemark.container", description=__doc__)
    parser.add_argument("action", choices=("run", "ready"))
    parser.add_argument("service", help="as `tidemark status` names it")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except TidemarkError as error:
        raise SystemExit(f"error: {error}") from None
