{{ config(
    enabled=has_contracts(['ride_events']),
    unique_key='event_id',
    meta={'update_when': newer_than_what_is_there()}
) }}
{%- set proof = newest_proof('ride_events') %}

with
newest as (
    {{ newest_proven(source('bronze', 'ride_events'), proof, ['event_id']) }}
),

rides as (
    select
        event_id,
        try_validate_utf8(cast(_key as string)) as ride_id,
        user_id,
        event_type,

        event_time,
        _kafka_time,
        _ingested_at,
        _judged_at,

        amount,

        _topic,
        {{ topic_id(proof) }} as _topic_id,
        _partition,
        _offset,
        _contract_version
    from newest
)

select * from rides
