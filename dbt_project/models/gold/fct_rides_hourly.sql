{{ config(
    enabled=has_contracts(['ride_events']),
    unique_key=['hour_at', 'event_type'],
    meta={'delete_when': 'DBT_INTERNAL_SOURCE.count_events = 0'}
) }}
{%- set days = days_touched(ref('stg_rides'), 'event_time') %}

with
stg_rides as (
    select * from {{ ref('stg_rides') }}
),

rides as (
    select
        event_type,
        user_id,
        date_trunc('hour', event_time) as hour_at,
        try_cast(amount as decimal(38, 6)) as amount
    from stg_rides
    where {{ on_days('event_time', days) }}
),

hourly as (
    select
        hour_at,
        event_type,
        count(*) as count_events,
        count(distinct user_id) as count_users,
        sum(amount) as sum_amount
    from rides
    group by hour_at, event_type
),

{% if is_incremental() -%}
there as (
    select * from {{ this }} where {{ on_days('hour_at', days) }}
),

emptied as (
    select
        there.hour_at,
        there.event_type,
        0 as count_events,
        0 as count_users,
        0 as sum_amount
    from there
    left anti join hourly on there.hour_at = hourly.hour_at and there.event_type = hourly.event_type
),

{% endif -%}
replaced as (
    select * from hourly
    {% if is_incremental() -%}
    union all
    select * from emptied
    {%- endif %}
),

typed as (
    select
        event_type,
        hour_at,
        count_events,
        count_users,
        cast(sum_amount as decimal(38, 6)) as sum_amount
    from replaced
)

select * from typed
