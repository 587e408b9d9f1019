"""Run a command line of ours as a task: a list of words, never a shell."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.exceptions import AirflowException
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import BaseOperator, ExceptionRetryPolicy, RetryAction, RetryRule

from tidemark.airflow_env import POOL


class NotGood(AirflowException):
    """The command did its work and found what must not be: to do it again would find it again."""


class NeedsApproval(NotGood):
    """The command would change more than it may without a person."""


class CouldNotRun(AirflowException):
    """The command could not do its work: something is away, or busy. Later it may be there."""


_KINDS = {1: NotGood, 3: NeedsApproval}

RETRIES = ExceptionRetryPolicy(
    [
        RetryRule(exception=NotGood, action=RetryAction.FAIL, reason="it would be found again"),
        RetryRule(exception=CouldNotRun, action=RetryAction.RETRY, reason="what is away may come back"),
    ]
)

DEFAULTS: dict[str, Any] = {
    "owner": "platform",
    "retries": 3,
    "retry_delay": timedelta(seconds=20),
    "retry_policy": RETRIES,
    "pool": POOL,
}


class CommandOperator(BaseOperator):
    """Start a process, log its output line by line, and fail as its exit code says.

    Args:
        command: the words.
        more: a template of a JSON list: words that are known only when the task runs; empty ones are left out.
        result_is_json: whether the last line, which is the task's result, is JSON.
    """

    template_fields: Sequence[str] = ("command", "more")
    ui_color = "#d7ecf5"

    def __init__(self, *, command: list[str], more: str = "[]", result_is_json: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.command = command
        self.more = more
        self.result_is_json = result_is_json
        self._hook = SubprocessHook()

    def execute(self, context: Any) -> Any:
        """Run the command; its last line is the task's result."""
        words = [*self.command, *(str(word) for word in json.loads(self.more) if word != "")]
        result = self._hook.run_command(command=words)
        if result.exit_code != 0:
            kind = _KINDS.get(result.exit_code, CouldNotRun)
            raise kind(f"{' '.join(words)} ended with {result.exit_code}; see the log above")
        return json.loads(result.output) if self.result_is_json else str(result.output)

    def on_kill(self) -> None:
        """End the process with the task."""
        self._hook.send_sigterm()
