{{ config(enabled=has_contracts(['ride_events'])) }}

with
silver as (
    select
        date_trunc('hour', event_time) as hour_at,
        count(*) as count_events,
        sum(try_cast(amount as decimal(38, 6))) as sum_amount
    from {{ ref('stg_rides') }}
    group by date_trunc('hour', event_time)
),

gold as (
    select
        hour_at,
        sum(count_events) as count_events,
        sum(sum_amount) as sum_amount
    from {{ ref('fct_rides_hourly') }}
    group by hour_at
),

differing as (
    select
        coalesce(silver.hour_at, gold.hour_at) as hour_at,
        silver.count_events as silver_events,
        gold.count_events as gold_events,
        silver.sum_amount as silver_amount,
        gold.sum_amount as gold_amount
    from silver
    full outer join gold on silver.hour_at = gold.hour_at
    where
        not silver.count_events <=> gold.count_events
        or not silver.sum_amount <=> gold.sum_amount
)

select * from differing
