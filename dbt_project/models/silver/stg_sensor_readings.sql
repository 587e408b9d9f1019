{{ config(
    enabled=has_contracts(['sensor_readings']),
    unique_key='reading_id',
    meta={'update_when': newer_than_what_is_there()}
) }}
{%- set proof = newest_proof('sensor_readings') %}

with
newest as (
    {{ newest_proven(source('bronze', 'sensor_readings'), proof, ['reading_id']) }}
),

readings as (
    select
        reading_id,
        sensor_id,
        metric,

        event_time,
        _kafka_time,
        _ingested_at,
        _judged_at,

        reading,

        _topic,
        {{ topic_id(proof) }} as _topic_id,
        _partition,
        _offset,
        _contract_version
    from newest
)

select * from readings
