{{ config(
    enabled=has_contracts(['sensor_readings']),
    unique_key=['reading_date', 'sensor_id', 'metric'],
    meta={'delete_when': 'DBT_INTERNAL_SOURCE.count_readings is null'}
) }}
{#- A day's first minutes are compared with the last ones of the day before. #}
{%- set days = with_day_after(days_touched(ref('stg_sensor_readings'), 'event_time')) %}

with
readings as (
    select
        *,
        cast(event_time as date) as reading_date,
        date_trunc('minute', event_time) as minute_at,
        try_cast(reading as decimal(38, 6)) as exact_reading,
        -- As the stream has it: what is beyond is judged, but is no part of what is usual.
        case when abs(reading) < 1000000000 then cast(reading as decimal(15, 6)) end as usual_reading
    from {{ ref('stg_sensor_readings') }}
    where {{ on_days('event_time', days, before='interval 5 minutes') }}
),

compared as (
    select
        *,
        count(usual_reading) over five_minutes_before as count_before,
        cast(sum(usual_reading) over five_minutes_before as double) as total_before,
        cast(sum(usual_reading * usual_reading) over five_minutes_before as double) as squares_before
    from readings
    window five_minutes_before as (
        partition by sensor_id, metric
        order by minute_at
        range between interval 5 minutes preceding and interval 1 minute preceding
    )
),

judged as (
    select
        *,
        try_divide(total_before, count_before) as mean_before,
        sqrt(greatest(
            try_divide(squares_before, count_before) - power(try_divide(total_before, count_before), 2), 0D
        )) as deviation_before
    from compared
),

followed as (
    select
        *,
        count_before >= 10 and abs(reading - mean_before) > 4 * deviation_before as is_anomaly,
        unix_micros(event_time) - unix_micros(lag(event_time) over (
            partition by reading_date, sensor_id, metric
            order by event_time, reading_id
        )) as pause_micros
    from judged
    where {{ on_days('reading_date', days) }}
),

daily as (
    select
        reading_date,
        sensor_id,
        metric,
        count(*) as count_readings,
        count_if(is_anomaly) as count_anomalies,
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
    count_anomalies,
    count_silences,
    longest_pause_micros,
    min_reading,
    max_reading,
    mean_reading
from replaced
