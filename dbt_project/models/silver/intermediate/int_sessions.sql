{{ config(enabled=has_contracts(['page_views'])) }}

with
views as (
    select
        *,
        lag(event_time) over (partition by visitor_id order by event_time, view_id) as previous_at
    from {{ ref('stg_page_views') }}
),

begun as (
    select
        *,
        -- The last session's end is its last view and half an hour: a view at that very moment is of the next one.
        coalesce(event_time >= previous_at + interval 30 minutes, true) as begins_session
    from views
),

numbered as (
    select
        *,
        count_if(begins_session) over (
            partition by visitor_id
            order by event_time, view_id
            rows between unbounded preceding and current row
        ) as session_number
    from begun
),

sessions as (
    select
        visitor_id,
        min(event_time) as started_at,
        max(event_time) as last_view_at,
        count(*) as count_views,
        min_by(page, struct(event_time, view_id)) as entry_page,
        max_by(page, struct(event_time, view_id)) as exit_page,
        min_by(referrer, struct(event_time, view_id)) as referrer
    from numbered
    group by visitor_id, session_number
),

named as (
    select
        left(sha2(concat_ws('|', visitor_id, cast(unix_micros(started_at) as string)), 256), 32) as session_id,
        *
    from sessions
)

select * from named
