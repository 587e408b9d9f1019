"""How often the streams of one driver begin a micro-batch: many streams on few processors begin less often.

A micro-batch costs processor time however few records it has. Were each stream as quick as it is alone, many would take
all processors, and each would be later than it is so.
"""

import os
from collections.abc import Sequence
from math import sqrt
from typing import Protocol

COST = 0.5  # processor seconds of a micro-batch of few records, all Java code being compiled (ADR 15)
_SPREAD = 0.2  # between the first and the last of equals


class Paced(Protocol):
    """What begins a micro-batch now and then."""

    trigger_seconds: float  # least time from one micro-batch to the next


def processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0))


def slow_down(streams: Sequence[Paced], budget: float) -> None:
    """Make triggers so long that all micro-batches together take no more than `budget` processors.

    Given what they cost together, the sum of all delays, each counted in the stream's own trigger, is least where
    triggers are as the square roots of what they would be alone. A trigger of 0 stays: it is as quick as it can be.
    """
    longer = COST * sum(1 / sqrt(each.trigger_seconds) for each in streams if each.trigger_seconds) / budget
    for number, each in enumerate(streams):
        apart = 1 + _SPREAD * (number / len(streams) - 0.5)  # Spark lets equal triggers fire at the same moment
        each.trigger_seconds = max(each.trigger_seconds, round(apart * longer * sqrt(each.trigger_seconds), 2))
