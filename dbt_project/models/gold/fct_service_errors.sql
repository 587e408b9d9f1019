{{ config(
    enabled=has_contracts(['app_logs']),
    unique_key=['hour_at', 'service'],
    meta={'delete_when': 'DBT_INTERNAL_SOURCE.count_logs is null'}
) }}
{%- set days = days_touched(ref('stg_logs'), 'event_time') %}

with
logs as (
    select
        service,
        date_trunc('hour', event_time) as hour_at,
        host,
        level in ('ERROR', 'FATAL') as is_error
    from {{ ref('stg_logs') }}
    where {{ on_days('event_time', days) }}
),

hourly as (
    select
        hour_at,
        service,
        count(*) as count_logs,
        count_if(is_error) as count_errors,
        count(distinct host) as count_hosts
    from logs
    group by hour_at, service
),

rated as (
    select
        *,
        count_errors / cast(count_logs as double) as error_rate
    from hourly
),

replaced as (
    {{ with_gone('rated', ['hour_at', 'service'], on_days('hour_at', days)) }}
)

select * from replaced
