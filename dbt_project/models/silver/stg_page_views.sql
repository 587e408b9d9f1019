{{ config(
    enabled=has_contracts(['page_views']),
    unique_key='view_id',
    meta={'update_when': newer_than_what_is_there()}
) }}
{%- set proof = newest_proof('page_views') %}

with
newest as (
    {{ newest_proven(source('bronze', 'page_views'), proof, ['view_id']) }}
),

page_views as (
    select
        view_id,
        {{ token('visitor_id') }} as visitor_id,
        page,
        referrer,

        event_time,
        _kafka_time,
        _ingested_at,
        _judged_at,

        _topic,
        {{ topic_id(proof) }} as _topic_id,
        _partition,
        _offset,
        _contract_version
    from newest
)

select * from page_views
