{{ config(enabled=has_contracts(['ride_events'])) }}

with
events as (
    select * from {{ ref('stg_rides') }} where ride_id is not null
),

assembled as (
    select
        ride_id,
        {{ last_of('user_id') }} as user_id,
        {{ last_of('event_type') }} as last_event_type,
        {{ last_of('event_id', "event_type = 'paid'") }} as paid_event_id,
        min(event_time) filter (where event_type = 'requested') as requested_at,
        min(event_time) filter (where event_type = 'started') as started_at,
        max(event_time) filter (where event_type = 'completed') as completed_at,
        max(event_time) filter (where event_type = 'paid') as paid_at,
        max(event_time) filter (where event_type = 'cancelled') as cancelled_at,
        min(event_time) as first_event_at,
        max(event_time) as last_event_at,
        count(*) as count_events,
        {{ last_of('try_cast(amount as decimal(38, 6))') }} as amount
    from events
    group by ride_id
)

select * from assembled
