"""What a micro-batch failed for, by the kind of the error: a record that can't be evaluated, or the world around it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

# Code that met a value it can't take. Whatever else Java raises is the world's: IOException (a full disk, a broken
# connection), TimeoutException, OutOfMemoryError, InterruptedException.
_OF_VALUES = frozenset(("java.lang.RuntimeException", "java.lang.StackOverflowError"))
# These derive from RuntimeException too, and tell of Kafka, the disk and lost races.
_OF_THE_WORLD = ("org.apache.kafka.", "org.apache.hadoop.", "org.apache.spark.sql.delta.", "io.delta.")
_TRACE_LINES = 100  # of a stack that overflowed there are thousands

_LINES = 5
_TRACEBACK = "Traceback (most recent call last):"  # Python's
_BEFORE = " terminated with exception: "  # Spark's: which query, by two ids that tell nobody anything
_CAUSE = "Caused by: "  # Java's
_BEHIND = ("\tat ", _CAUSE, "=== Streaming Query ===", "JVM stacktrace:", " SQLSTATE: ")


@dataclass(frozen=True)
class Failure:
    """The innermost cause of an error."""

    kind: str  # the class of Java's exception
    message: str  # its first line
    trace: str

    @property
    def name(self) -> str:
        """Give the class without its package: it says what happened, and nothing of the record."""
        return self.kind.rsplit(".", 1)[-1]


def failure_of(spark: SparkSession, error: Exception) -> Failure | None:
    """Give what evaluating a record raised; None: by its kind, the error is none of a record's."""
    causes = list(_causes(error))
    if not causes or any(_name(each).startswith(_OF_THE_WORLD) for each in causes):
        return None
    root = causes[-1]
    if _OF_VALUES.isdisjoint(_lineage(root)):
        return None
    jvm: Any = spark._jvm
    trace = str(jvm.org.apache.spark.util.Utils.exceptionString(root)).splitlines()
    return Failure(_name(root), next(iter(trace), "")[:500], "\n".join(trace[:_TRACE_LINES]))


def in_short(error: Exception) -> str:
    """Say what an error is, in a few lines: Spark puts its own words and stacks around what was raised in Python.

    The innermost cause is told too, where it is another: of a write that failed, what the disk said.
    """
    raised = str(error).rpartition(_TRACEBACK)[2].splitlines()
    behind_frames = list(dropwhile(lambda line: not line or line.startswith("  "), raised))
    said = takewhile(lambda line: not line.startswith(_BEHIND), behind_frames)
    told = [line.rpartition(_BEFORE)[2] for line in said if line.strip()][:_LINES]
    causes = [line for line in behind_frames if line.startswith(_CAUSE)]
    return "\n".join(told + [each for each in causes[-1:] if each.removeprefix(_CAUSE) not in "\n".join(told)])


def _causes(error: Exception) -> Iterator[Any]:
    """Go from the error that Java raised to its innermost cause."""
    cause: Any = None
    if isinstance(error, Py4JJavaError):
        cause = error.java_exception
    elif isinstance(error, PySparkException):
        cause = getattr(error, "_origin", None)
    while cause is not None:
        yield cause
        cause = cause.getCause()


def _lineage(throwable: Any) -> Iterator[str]:
    kind = throwable.getClass()
    while kind is not None:
        yield str(kind.getName())
        kind = kind.getSuperclass()


def _name(throwable: Any) -> str:
    return str(throwable.getClass().getName())
