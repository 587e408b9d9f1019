{{ config(
    enabled=has_contracts(['sensor_readings']),
    unique_key=['reading_date', 'sensor_id', 'metric'],
    meta={'delete_when': 'DBT_INTERNAL_SOURCE.count_readings is null'}
) }}
{%- set days = days_touched(ref('stg_sensor_readings'), 'event_time') %}

with
readings as (
    select
        *,
        cast(event_time as date) as reading_date,
        try_cast(reading as decimal(38, 6)) as exact_reading
    from {{ ref('stg_sensor_readings') }}
    where {{ on_days('event_time', days) }}
),

followed as (
    select
        *,
        unix_micros(event_time) - unix_micros(lag(event_time) over (
            partition by reading_date, sensor_id, metric
            order by event_time, reading_id
        )) as pause_micros
    from readings
),

daily as (
    select
        reading_date,
        sensor_id,
        metric,
        count(*) as count_readings,
        count_if(pause_micros > 5 * 60 * 1000000) as count_silences,
        coalesce(max(pause_micros), 0) as longest_pause_micros,
        min(event_time) as first_reading_at,
        max(event_time) as last_reading_at,
        min(reading) as min_reading,
        max(reading) as max_reading,
        sum(exact_reading) as sum_reading
    from followed
    group by reading_date, sensor_id, metric
),

typed as (
    select
        *,
        try_divide(cast(sum_reading as double), count_readings) as mean_reading
    from daily
),

replaced as (
    {{ with_gone('typed', ['reading_date', 'sensor_id', 'metric'], on_days('reading_date', days)) }}
)

select
    reading_date,
    sensor_id,
    metric,
    first_reading_at,
    last_reading_at,
    count_readings,
    count_silences,
    longest_pause_micros,
    min_reading,
    max_reading,
    mean_reading
from replaced
