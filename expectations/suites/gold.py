"""Gold: each table has its grain once, its sums are silver's, and no time is missing between its first and its last."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from great_expectations.expectations.expectation import Expectation

from expectations.suites.declared import at_least, not_null, suite_of, unique
from expectations.suites.gated import GatedTable
from expectations.suites.surveys import Bound, Survey, called, surveyed
from tidemark.names import quoted


@dataclass(frozen=True)
class _Series:
    """A table of sums by time, and the silver table whose rows they are sums of."""

    name: str
    at: str  # the column of time
    by: str  # the other column of the grain
    step: str  # HOUR or DAY
    counted: str
    least: Mapping[str, int]  # the least value of each measure
    source: str
    sums: Mapping[str, str]  # each measure that adds up, and the same of the source's rows

    @property
    def grain(self) -> tuple[str, str]:
        return self.at, self.by


_RIDES = _Series(
    name="fct_rides_hourly",
    at="hour_at",
    by="event_type",
    step="HOUR",
    counted="count_events",
    least={"count_events": 1, "count_users": 1, "sum_amount": 0},
    source="silver.stg_rides",
    sums={"count_events": "count(*)", "sum_amount": "sum(try_cast(amount AS DECIMAL(38, 6)))"},
)
_SALES = _Series(
    name="fct_product_sales_daily",
    at="sale_date",
    by="product_id",
    step="DAY",
    counted="count_sales",
    least={"count_sales": 1, "count_customers": 1, "sum_quantity": 0, "sum_revenue": 0},
    source="silver.stg_sales",
    sums={
        "count_sales": "count(*)",
        "sum_quantity": "try_sum(quantity)",
        "sum_revenue": "sum(try_cast(revenue AS DECIMAL(38, 6)))",
    },
)


def fct_rides_hourly() -> GatedTable:
    """Give the gate of ride events per hour and type."""
    return _gated(_RIDES)


def fct_product_sales_daily() -> GatedTable:
    """Give the gate of sales per product and day."""
    return _gated(_SALES)


GOLD: dict[str, Callable[[], GatedTable]] = {
    "fct_rides_hourly": fct_rides_hourly,
    "fct_product_sales_daily": fct_product_sales_daily,
}


def _gated(series: _Series) -> GatedTable:
    expected = (*_of_columns(series), *_adds_up(series), *_of_time(series))
    return GatedTable(
        layer="gold",
        name=series.name,
        suite=suite_of(f"gold.{series.name}", expected),
        columns=(*series.grain, *series.least),
        key=series.grain,
        surveys=(_sums(series), _times(series)),
    )


def _of_columns(series: _Series) -> Iterator[Expectation]:
    yield from (not_null(column, "fail") for column in (*series.grain, *series.sums))
    yield unique(series.grain, "fail")
    yield from (at_least(column, least, "fail") for column, least in series.least.items())


def _adds_up(series: _Series) -> Iterator[Expectation]:
    for column in series.sums:
        says = f"days of which {column} is not what the rows of {series.source} add up to"
        yield surveyed(f"_unlike_{column}", "adds_up", (column,), "fail", Bound(exactly=0), unit="days off", says=says)


def _of_time(series: _Series) -> Iterator[Expectation]:
    name, where = f"{series.step.lower()}s_missing", (series.at,)
    says = f"{series.step.lower()}s without a row, of the newest 8 days"
    yield surveyed("_missing", name, where, "warn", Bound(exactly=0), says=says)
    says = f"{series.counted} of the newest whole day, more than a week before"
    bound = Bound(above=-25, below=100)
    yield surveyed("_week_change", "week_change", (series.counted,), "warn", bound, unit="%", says=says)


def _sums(series: _Series) -> Survey:
    """Compare sums by day: what one hour lacks, another can't make up for on another day."""
    at = quoted(series.at)
    ours = ", ".join(f"sum({quoted(column)}) AS {quoted(column)}" for column in series.sums)
    theirs = ", ".join(f"{sql} AS {quoted(column)}" for column, sql in series.sums.items())
    unlike = ", ".join(
        f"count_if(NOT ours.{quoted(column)} <=> theirs.{quoted(column)}) AS {quoted(f'_unlike_{column}')}"
        for column in series.sums
    )
    query = f"""
        SELECT {unlike}
        FROM (SELECT cast({at} AS DATE) AS day, {ours} FROM {{judged}} GROUP BY 1) AS ours
        FULL JOIN (
            SELECT cast(event_time AS DATE) AS day, {theirs} FROM {called(series.source)} GROUP BY 1
        ) AS theirs ON ours.day = theirs.day
    """
    return Survey(query, tuple(f"_unlike_{column}" for column in series.sums), (series.source,))


def _times(series: _Series) -> Survey:
    at = quoted(series.at)
    # The greatest date itself Delta takes from its log, and in a warehouse it fails to.
    step = f"date_trunc('{series.step}', {at})"
    length = {"HOUR": 3600, "DAY": 86400}[series.step]
    span = f"(unix_seconds(max({step})) - unix_seconds(min({step}))) / {length}"
    # The newest day is not over: the one before it is the newest whole one
    day = f"datediff(newest, {at})"
    whole, week_ago = (f"sum({quoted(series.counted)}) FILTER (WHERE {day} = {days})" for days in (1, 8))
    query = f"""
        SELECT
            1 + {span} - size(collect_set({step})) AS _missing,
            coalesce(100.0D * (coalesce({whole}, 0) - {week_ago}) / nullif({week_ago}, 0), 0) AS _week_change
        FROM {{judged}} CROSS JOIN (SELECT max({step}) AS newest FROM {{judged}})
        WHERE {at} > newest - INTERVAL 9 DAYS
    """
    return Survey(query, ("_missing", "_week_change"))
