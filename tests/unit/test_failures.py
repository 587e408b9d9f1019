"""What is told of a failure: what was raised, without what Spark and Python say around it."""

import pytest

from streaming.failures import in_short

pytestmark = pytest.mark.unit

IN_PYTHON = """\
[STREAM_FAILED] Query [id = 883ca1ae, runId = b7bbc454] terminated with exception: [FOREACH_BATCH_USER_FUNCTION_ERROR] \
An error occurred in the user provided function in foreach batch sink. Reason: An exception was raised by the Python \
Proxy. Return Message: Traceback (most recent call last):
  File "py4j/clientserver.py", line 644, in _call_proxy
    return_value = getattr(self.pool[obj_id], method)(*params)
                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
tidemark.locks.LockHeld: the write lock of speed.rides is held by 4711
  fix: wait until it has ended
 SQLSTATE: 39000 SQLSTATE: XXKST
=== Streaming Query ===
Identifier: rides [id = 883ca1ae, runId = b7bbc454]
Current State: ACTIVE"""

IN_JAVA = """\
[STREAM_FAILED] Query [id = 883ca1ae, runId = b7bbc454] terminated with exception: Job aborted due to stage failure: \
Task 0 in stage 34.0 failed 1 times
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2856)
Caused by: org.apache.spark.SparkException: [TASK_WRITE_FAILED] Task failed while writing rows
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.taskFailedWhileWritingRowsError(QueryExecutionErrors.scala:772)
Caused by: java.io.IOException: No space left on device
\t... 34 more
=== Streaming Query ===
Identifier: rides"""

BY_PYTHON_IN_JAVA = """\
An exception was raised by the Python Proxy. Return Message: Traceback (most recent call last):
  File "streaming/sinks.py", line 40, in publish
    write()
py4j.protocol.Py4JJavaError: An error occurred while calling o477.save.
: org.apache.spark.SparkException: [TASK_WRITE_FAILED] Task failed while writing rows
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.taskFailedWhileWritingRowsError(QueryExecutionErrors.scala:772)
Caused by: java.io.IOException: No space left on device
\t... 34 more
"""

FULL = "Caused by: java.io.IOException: No space left on device"
CALLED = "py4j.protocol.Py4JJavaError: An error occurred while calling o477.save."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            IN_PYTHON,
            "tidemark.locks.LockHeld: the write lock of speed.rides is held by 4711\n  fix: wait until it has ended",
        ),
        (
            IN_JAVA,
            f"Job aborted due to stage failure: Task 0 in stage 34.0 failed 1 times\n{FULL}",
        ),
        (
            BY_PYTHON_IN_JAVA,
            f"{CALLED}\n: org.apache.spark.SparkException: [TASK_WRITE_FAILED] Task failed while writing rows\n{FULL}",
        ),
        ("topic 'rides' is gone\nwhy: somebody deleted it", "topic 'rides' is gone\nwhy: somebody deleted it"),
        ("", ""),
    ],
)
def test_what_was_raised_is_told_with_its_innermost_cause_and_no_stack(text: str, told: str) -> None:
    assert in_short(RuntimeError(text)) == told


def test_a_long_message_is_cut() -> None:
    assert in_short(RuntimeError("\n".join("123456789"))) == "\n".join("12345")
