"""dbt for what has changed alone: the other models of a selection are left out, and that is said of each."""

import json
import subprocess
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from tidemark.dbt_nodes import Model, project_models
from tidemark.errors import TidemarkError
from tidemark.model_builds import Decision, decisions, keep_builds
from tidemark.settings import Settings

REFRESHED = "TIDEMARK_DBT_REFRESH"  # names the models that are built anew from their first row

_ALWAYS = ("--full-refresh", "--event-time-start")  # who asks for all of it, or for days, gets them
_SELECT = ("--select", "-s", "--models", "-m")
_BUILD = "TIDEMARK_BUILD"
_OWN = "DBT_ENV_CUSTOM_ENV_"  # dbt copies such a variable into what it says of its results
# A unit test judges SQL by rows of its own: new data tells it nothing. Who wants them all the same sets it otherwise.
_NO_UNIT_TESTS = {"DBT_EXCLUDE_RESOURCE_TYPES": "unit_test"}


def build_changed(settings: Settings, line: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run dbt without the models that have no news, record what it built, and give its exit code.

    Unit tests are run where the SQL of a model has changed.

    Args:
        line: the command, dbt's program first.
        environment: of dbt.

    Raises:
        TidemarkError: it selects by more than names.
    """
    chosen = selected(project_models(settings), line)
    decided = decisions(settings, chosen)
    unneeded = {} if _names(decided, "refresh") else _NO_UNIT_TESTS
    if any(flag in line for flag in _ALWAYS):
        decided = [Decision(each.model, "build", "it was asked for", each.inputs) for each in decided]
    for each in decided:
        print(told(each, as_json="json" in line), flush=True)
    build = str(uuid.uuid4())
    own = {f"{_OWN}{_BUILD}": build, REFRESHED: " ".join(_names(decided, "refresh"))}
    skipped = _names(decided, "skip")
    words = [*line, *(["--exclude", *skipped] if skipped else [])]
    started = subprocess.run(words, env={**unneeded, **environment, **own}, check=False)
    done = built(Path(environment["DBT_TARGET_PATH"]) / "run_results.json", build)
    keep_builds(settings, [each for each in decided if each.model.unique_id in done])
    return started.returncode


def selected(models: Collection[Model], line: Sequence[str]) -> list[Model]:
    """Give the models that a command is about, by the names of layers, folders and models.

    Raises:
        TidemarkError: something else stands there.
    """
    words = list(_selection(line))
    unknown = [word for word in words if not any(word in model.words for model in models)]
    if unknown:
        fix = "name layers, folders or models; without --changed, dbt's own operators can be used"
        raise TidemarkError(f"--changed can't tell which models {', '.join(unknown)} is", fix)
    return [model for model in models if not words or model.words.intersection(words)]


def told(decision: Decision, *, as_json: bool) -> str:
    """Say what becomes of a model: to people, or as dbt says it, by which Airflow knows what to show as skipped."""
    model = decision.model
    text = f"{model.table}: {decision.action}: {decision.why}"
    if not as_json:
        return text
    said: dict[str, object] = {"info": {"level": "info", "msg": text, "name": "ModelDecided"}}
    if decision.action == "skip":
        node = {"unique_id": model.unique_id, "resource_type": "model", "node_status": "skipped"}
        said = {"info": {"level": "info", "msg": text, "name": "NodeFinished"}, "data": {"node_info": node}}
    return json.dumps(said)


def built(results: Path, build: str) -> set[str]:
    """Give the ids of what one run of dbt has built, by its results; those of another run tell nothing."""
    try:
        found = json.loads(results.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    if found["metadata"].get("env", {}).get(_BUILD) != build:
        return set()
    return {each["unique_id"] for each in found["results"] if each["status"] == "success"}


def _names(decided: Sequence[Decision], action: str) -> list[str]:
    return [each.model.name for each in decided if each.action == action]


def _selection(line: Sequence[str]) -> Iterator[str]:
    """Read the words behind each --select; dbt takes several, and several in one."""
    inside = False
    for word in line:
        if word.startswith("-"):
            flag, _, value = word.partition("=")
            inside = flag in _SELECT
            yield from value.split() if inside else ()
        elif inside:
            yield from word.split()
