"""Turns: few at a time, and one that is stuck stops no other."""

import threading
from typing import Any, cast

import pytest
from pyspark.sql import DataFrame

from streaming.turns import Turns

pytestmark = pytest.mark.unit

ROWS = cast(DataFrame, None)  # they are only handed on
PATIENCE = 10.0
FOREVER = 20 * PATIENCE


def begun(*works: Any) -> list[threading.Thread]:
    """Run each in a thread of its own, as Spark runs micro-batches."""
    threads = [threading.Thread(target=work, args=(ROWS, number), daemon=True) for number, work in enumerate(works)]
    for thread in threads:
        thread.start()
    return threads


def ended(threads: list[threading.Thread]) -> bool:
    for thread in threads:
        thread.join(PATIENCE)
    return not any(thread.is_alive() for thread in threads)


def test_no_more_work_at_a_time_than_may_and_each_gets_its_turn() -> None:
    turns, together, lock = Turns(2, PATIENCE), threading.Barrier(2), threading.Lock()
    done, working, most = list[int](), list[int](), list[int]()

    def write(rows: DataFrame, batch: int) -> None:
        with lock:
            working.append(batch)
            most.append(len(working))
        together.wait(PATIENCE)  # two are here at once, or nobody gets on
        with lock:
            working.remove(batch)
            done.append(batch)

    assert ended(begun(*[turns.of(write)] * 8))
    assert (sorted(done), max(most)) == ([*range(8)], 2)


def test_a_turn_is_given_back_by_one_that_fails() -> None:
    turns, failed = Turns(1, FOREVER), list[int]()

    def fails(rows: DataFrame, batch: int) -> None:
        raise ValueError(batch)

    def tries(rows: DataFrame, batch: int) -> None:
        with pytest.raises(ValueError, match=str(batch)):
            turns.of(fails)(rows, batch)
        failed.append(batch)

    assert ended(begun(*[tries] * 3))
    assert sorted(failed) == [0, 1, 2]


def test_one_that_is_stuck_delays_the_others_and_stops_none() -> None:
    turns, stuck, freed, done = Turns(1, 0.05), threading.Event(), threading.Event(), list[int]()

    def waits(rows: DataFrame, batch: int) -> None:
        stuck.set()
        freed.wait(FOREVER)

    holding = begun(turns.of(waits))
    assert stuck.wait(PATIENCE)
    assert ended(begun(turns.of(lambda rows, batch: done.append(batch))))
    assert done == [0]
    freed.set()
    assert ended(holding)
