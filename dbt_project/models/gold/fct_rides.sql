{{ config(
    enabled=has_contracts(['ride_events']),
    unique_key='ride_id',
    meta={'delete_when': 'DBT_INTERNAL_SOURCE.count_events is null'}
) }}
{%- set touched = keys_touched(ref('stg_rides'), 'ride_id', 'event_time') %}

with
assembled as (
    select * from {{ ref('int_rides') }} where {{ touched }}
),

rides as (
    select
        ride_id,
        user_id,
        paid_event_id,
        last_event_type,

        requested_at,
        started_at,
        completed_at,
        paid_at,
        cancelled_at,
        last_event_at,

        last_event_type in ('paid', 'cancelled') as is_over,
        cancelled_at is not null as is_cancelled,

        count_events,
        unix_micros(started_at) - unix_micros(requested_at) as waited_micros,
        unix_micros(completed_at) - unix_micros(started_at) as ridden_micros,
        amount
    from assembled
),

replaced as (
    {{ with_gone('rides', ['ride_id'], touched) }}
)

select * from replaced
