"""A table of sums beside the silver table that they are sums of: what adds up, and what comes as it did before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from great_expectations.expectations.expectation import Expectation

from expectations.suites.declared import at_least, not_null, suite_of, unique
from expectations.suites.gated import GatedTable
from expectations.suites.surveys import Bound, Survey, called, surveyed
from tidemark.model_keys import model_key
from tidemark.names import quoted

_PARTS = 1000  # of the keys: what one part lacks, another can't make up for
_ENOUGH_DAYS = 28  # a table that is younger grows fast


@dataclass(frozen=True)
class Times:
    """When the rows of a table come."""

    at: str
    step: str  # HOUR or DAY: one without a row is missing
    counted: str = ""  # the column that says how many there are; empty: each row is one


@dataclass(frozen=True)
class Sums:
    """A table of gold, and what is known of it."""

    name: str
    source: str  # the silver table whose rows it adds up
    sums: Mapping[str, str]  # each measure that adds up, and the same of the source's rows
    least: Mapping[str, int]  # the least value of each measure
    by: str = ""  # the column, of both, whose values are compared; empty: the days
    times: Times | None = None
    first_at: str = ""  # when a row's subject was first seen; empty: how the table grows says nothing
    may_be_empty: bool = False
    of_each: bool = False  # only what the table has is compared, with the source's row of the same key


def gold_table(table: Sums) -> GatedTable:
    """Give the gate of a table of gold."""
    key = model_key("gold", table.name)
    expected = (*_of_columns(table, key), *_adds_up(table), *_of_time(table), *_growth(table))
    others = (table.by, table.times.at if table.times else "", table.first_at)
    columns = dict.fromkeys((*key, *table.least, *filter(None, others)))
    return GatedTable(
        layer="gold",
        name=table.name,
        suite=suite_of(f"gold.{table.name}", expected, may_be_empty=table.may_be_empty),
        columns=tuple(columns),
        key=key,
        surveys=tuple(_surveys(table)),
        may_be_empty=table.may_be_empty,
    )


def _of_columns(table: Sums, key: tuple[str, ...]) -> Iterator[Expectation]:
    yield from (not_null(column, "fail") for column in dict.fromkeys((*key, *table.sums)))
    yield unique(key, "fail")
    yield from (at_least(column, least, "fail") for column, least in table.least.items())


def _adds_up(table: Sums) -> Iterator[Expectation]:
    part = "days" if not table.by else "rows" if table.of_each else f"parts of {table.by}"
    for column in table.sums:
        says = f"{part} of which {column} is not what the rows of {table.source} add up to"
        unit = f"{part.split()[0]} off"
        yield surveyed(f"_unlike_{column}", "adds_up", (column,), "fail", Bound(exactly=0), unit=unit, says=says)


def _of_time(table: Sums) -> Iterator[Expectation]:
    if table.times is None:
        return
    at, step, counted = table.times.at, table.times.step.lower(), table.times.counted
    says = f"{step}s without a row, of the newest 8 days"
    yield surveyed("_missing", f"{step}s_missing", (at,), "warn", Bound(exactly=0), says=says)
    says = f"{counted or 'rows'} of the newest whole day, more than a week before"
    where, bound = (counted or at,), Bound(above=-25, below=100)
    yield surveyed("_week_change", "week_change", where, "warn", bound, unit="%", says=says)


def _growth(table: Sums) -> Iterator[Expectation]:
    if table.first_at:
        says = "rows that were first seen within a week, of those that were there before"
        yield surveyed("_growth", "growth", (table.first_at,), "warn", Bound(below=100), unit="%", says=says)


def _surveys(table: Sums) -> Iterator[Survey]:
    yield _unlike_source(table)
    if table.times is not None:
        yield _times(table.times)
    if table.first_at:
        yield _first_seen(table.first_at)


def _unlike_source(table: Sums) -> Survey:
    """Compare sums part by part: what one lacks, another can't make up for."""
    if not table.by:
        own, theirs = f"cast({quoted(table.times.at if table.times else '')} AS DATE)", "cast(event_time AS DATE)"
    elif table.of_each:
        own = theirs = quoted(table.by)
    else:
        own = theirs = f"pmod(hash({quoted(table.by)}), {_PARTS})"
    whole = "max" if table.of_each else "sum"
    ours = ", ".join(f"{whole}({quoted(column)}) AS {quoted(column)}" for column in table.sums)
    same = ", ".join(f"{sql} AS {quoted(column)}" for column, sql in table.sums.items())
    unlike = ", ".join(
        f"count_if(NOT ours.{quoted(column)} <=> theirs.{quoted(column)}) AS {quoted(f'_unlike_{column}')}"
        for column in table.sums
    )
    query = f"""
        SELECT {unlike}
        FROM (SELECT {own} AS part, {ours} FROM {{judged}} GROUP BY 1) AS ours
        {"LEFT" if table.of_each else "FULL"} JOIN (
            SELECT {theirs} AS part, {same} FROM {called(table.source)} WHERE {_known(table)} GROUP BY 1
        ) AS theirs ON ours.part = theirs.part
    """
    return Survey(query, tuple(f"_unlike_{column}" for column in table.sums), (table.source,))


def _known(table: Sums) -> str:
    return f"{quoted(table.by)} IS NOT NULL" if table.by else "true"


def _times(times: Times) -> Survey:
    at = quoted(times.at)
    # The greatest date itself Delta takes from its log, and in a warehouse it fails to.
    step = f"date_trunc('{times.step}', {at})"
    length = {"HOUR": 3600, "DAY": 86400}[times.step]
    span = f"(unix_seconds(max({step})) - unix_seconds(min({step}))) / {length}"
    # The newest day is not over: the one before it is the newest whole one
    day = f"datediff(newest, {at})"
    each = quoted(times.counted) if times.counted else "1"
    whole, week_ago = (f"sum({each}) FILTER (WHERE {day} = {days})" for days in (1, 8))
    query = f"""
        SELECT
            1 + {span} - size(collect_set({step})) AS _missing,
            coalesce(100.0D * (coalesce({whole}, 0) - {week_ago}) / nullif({week_ago}, 0), 0) AS _week_change
        FROM {{judged}} CROSS JOIN (SELECT max({step}) AS newest FROM {{judged}})
        WHERE {at} > newest - INTERVAL 9 DAYS
    """
    return Survey(query, ("_missing", "_week_change"))


def _first_seen(first_at: str) -> Survey:
    at = quoted(first_at)
    is_new = f"{at} > newest - INTERVAL 7 DAYS"
    query = f"""
        SELECT if(
            datediff(max({at}), min({at})) >= {_ENOUGH_DAYS},
            100.0D * count_if({is_new}) / nullif(count_if(NOT {is_new}), 0),
            0.0D
        ) AS _growth
        FROM {{judged}} CROSS JOIN (SELECT max({at}) AS newest FROM {{judged}})
    """
    return Survey(query, ("_growth",))
