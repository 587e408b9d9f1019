"""How the newest day of a bronze table compares with the week before it, by event time.

All of it warns: a day may differ for a good reason, which only people know. Where there is less than a day's worth to
compare with, the numbers say that nothing has changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from great_expectations.expectations.expectation import Expectation

from expectations.suites.surveys import Bound, Survey, surveyed
from tidemark import bronze
from tidemark.contracts import Column, Contract
from tidemark.names import quoted

_ENOUGH = 30  # rows on each side of a comparison
_STEADY_SECONDS = 3600  # who promises to be as fresh as this has no hour without an event

_LATE, _BEFORE = "FILTER (WHERE is_recent)", "FILTER (WHERE NOT is_recent)"
_FROM_KAFKA = f"{bronze.TOPIC} NOT LIKE '{bronze.EXPORT}%'"


@dataclass(frozen=True)
class _Change:
    """A number of the survey, and where it must be."""

    sql: str
    name: str
    columns: tuple[str, ...]
    bound: Bound
    unit: str
    says: str

    @property
    def number(self) -> str:
        return f"_{self.name}_{'_'.join(self.columns)}"


def expected_changes(contract: Contract) -> Iterator[Expectation]:
    """Expect the newest day to be like those before it."""
    for change in _changes(contract):
        words = (change.bound,)
        yield surveyed(change.number, change.name, change.columns, "warn", *words, unit=change.unit, says=change.says)


def changes_survey(contract: Contract) -> Survey:
    """Give the query of all that is compared, in one pass over the newest eight days."""
    at = quoted(contract.event_time)
    changes = list(_changes(contract))
    numbers = ",\n".join(f"{change.sql} AS {quoted(change.number)}" for change in changes)
    query = f"""
        WITH newest AS (SELECT max({at}) AS newest FROM {{judged}}),
        days AS (
            SELECT
                judged.*,
                {at} > newest - INTERVAL 1 DAY AS is_recent,
                {at} <= newest - INTERVAL 7 DAYS AS is_week_ago
            FROM {{judged}} AS judged CROSS JOIN newest
            WHERE {at} > newest - INTERVAL 8 DAYS
        )
        SELECT {numbers} FROM days
    """
    return Survey(query, tuple(change.number for change in changes))


def _changes(contract: Contract) -> Iterator[_Change]:
    yield _volume(contract)
    yield from _times(contract)
    if not contract.change_order:
        yield _reused_keys(contract)
    for column in contract.columns:
        yield from _of_column(contract, column)


def _volume(contract: Contract) -> _Change:
    recent, week_ago = "count_if(is_recent)", "count_if(is_week_ago)"
    sql = f"if({week_ago} < {_ENOUGH}, 0, 100.0D * ({recent} - {week_ago}) / nullif({week_ago}, 0))"
    says = "rows of the newest 24 hours, more than of the same hours a week before"
    return _Change(sql, "volume_change", (contract.event_time,), Bound(above=-25, below=100), "%", says)


def _times(contract: Contract) -> Iterator[_Change]:
    """Compare times, of those that promise to be fresh."""
    promised = [check.within_seconds for check in contract.quality if check.metric == "freshness"]
    if not promised or min(promised) > _STEADY_SECONDS:
        return
    at = quoted(contract.event_time)
    hour = f"date_trunc('HOUR', {at})"
    span = f"(unix_seconds(max({hour})) - unix_seconds(min({hour}))) / 3600"
    gaps = f"1 + {span} - size(collect_set({hour}))"
    where = (contract.event_time,)
    yield _Change(gaps, "hours_missing", where, Bound(exactly=0), "", "hours of the newest 8 days without an event")
    delay = f"(unix_millis({bronze.KAFKA_TIME}) - unix_millis({at})) / 1000.0D"
    middle = f"coalesce(percentile_approx({delay}, 0.5) FILTER (WHERE is_recent AND {_FROM_KAFKA}), 0)"
    bound = Bound(above=-_STEADY_SECONDS / 2, below=_STEADY_SECONDS / 2)
    yield _Change(middle, "delay", where, bound, "seconds", "Kafka's time after the event's own, the middle of a day")


def _reused_keys(contract: Contract) -> _Change:
    at, key = quoted(contract.event_time), ", ".join(map(quoted, contract.key))
    sql = f"""(
        SELECT coalesce(100.0D * count_if(first <> last) / nullif(count(*), 0), 0)
        FROM (
            SELECT min({at}) AS first, max({at}) AS last FROM days WHERE is_recent AND {_FROM_KAFKA} GROUP BY {key}
        )
    )"""
    return _Change(sql, "reused_keys", contract.key, Bound(below=1), "%", "keys that stand for events of two times")


def _of_column(contract: Contract, column: Column) -> Iterator[_Change]:
    name, where = quoted(column.name), (column.name,)
    if column.open_set:
        yield _Change(_new_values(name), "new_values", where, Bound(below=5), "%", "rows with a value not seen before")
    if not contract.always_has(column):
        yield _Change(_more_nulls(name), "more_nulls", where, Bound(below=25), "%", "nulls, more than before")
    elif column.logical_type == "number":
        middle = f"percentile_approx({name}, 0.5)"
        yield _Change(_ratio(middle), "scale", where, Bound(above=0.2, below=5), "times", "its middle against before")
    elif column.logical_type == "string" and column.pattern is None and column.enum is None:
        length = f"avg(char_length({name}))"
        bound = Bound(above=0.75, below=1.5)
        yield _Change(_ratio(length), "length_change", where, bound, "times", "its length against before")


def _ratio(measure: str) -> str:
    enough = f"least(count_if(is_recent), count_if(NOT is_recent)) >= {_ENOUGH}"
    ratio = f"{measure} {_LATE} / nullif({measure} {_BEFORE}, 0)"
    return f"if({enough}, coalesce({ratio}, 1.0D), 1.0D)"


def _more_nulls(name: str) -> str:
    def share(rows: str) -> str:
        return f"100.0D * count_if({name} IS NULL AND {rows}) / nullif(count_if({rows}), 0)"

    enough = f"least(count_if(is_recent), count_if(NOT is_recent)) >= {_ENOUGH}"
    return f"if({enough}, {share('is_recent')} - {share('NOT is_recent')}, 0.0D)"


def _new_values(name: str) -> str:
    return f"""(
        SELECT if(sum(before) >= {_ENOUGH}, 100.0D * sum(if(before = 0, recent, 0)) / nullif(sum(recent), 0), 0.0D)
        FROM (
            SELECT count_if(is_recent) AS recent, count_if(NOT is_recent) AS before FROM days GROUP BY {name}
        )
    )"""
