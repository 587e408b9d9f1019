"""Run a command line of ours as a task: a list of words, never a shell."""

from collections.abc import Sequence
from typing import Any

from airflow.exceptions import AirflowException
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import BaseOperator

_LAST_LINES = 30


class CommandOperator(BaseOperator):
    """Start a process, log its output line by line, and fail with its last lines when it fails."""

    template_fields: Sequence[str] = ("command",)
    ui_color = "#d7ecf5"

    def __init__(self, *, command: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.command = command
        self._hook = SubprocessHook()

    def execute(self, context: Any) -> str:
        """Run the command; its last line is the task's result."""
        result = self._hook.run_command(command=self.command)
        if result.exit_code != 0:
            raise AirflowException(f"{' '.join(self.command)} ended with {result.exit_code}; see the log above")
        return str(result.output)

    def on_kill(self) -> None:
        """End the process with the task."""
        self._hook.send_sigterm()
