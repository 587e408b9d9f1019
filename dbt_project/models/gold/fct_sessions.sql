{{ config(
    enabled=has_contracts(['page_views']),
    unique_key='session_id',
    meta={'delete_when': 'DBT_INTERNAL_SOURCE.count_views is null'}
) }}
{%- set touched = keys_touched(ref('stg_page_views'), 'visitor_id', 'event_time') %}

with
assembled as (
    select * from {{ ref('int_sessions') }} where {{ touched }}
),

sessions as (
    select
        session_id,
        visitor_id,
        entry_page,
        exit_page,
        referrer,

        started_at,
        last_view_at,

        count_views = 1 as is_bounce,

        count_views,
        unix_micros(last_view_at) - unix_micros(started_at) as lasted_micros
    from assembled
),

replaced as (
    {{ with_gone('sessions', ['session_id'], touched) }}
)

select * from replaced
